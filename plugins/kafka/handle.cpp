#include "handle.hpp"

#include <dlfcn.h>

#include <array>
#include <stdexcept>

namespace kafka {
namespace {

// The plugin is unloaded when another build takes over, but librdkafka stays: it and what it brings
// keep memory that only their own variables lead to, and each unloading would leave that behind.
void keep_librdkafka_loaded() {
  Dl_info where{};
  if (::dladdr(reinterpret_cast<const void*>(&rd_kafka_version), &where) == 0) return;
  // The handle is for nobody to close.
  static_cast<void>(::dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE));
}

}  // namespace

Handle::Handle(Configuration configuration) {
  keep_librdkafka_loaded();
  std::array<char, 512> problem{};
  kafka_ = rd_kafka_new(RD_KAFKA_PRODUCER, configuration.get(), problem.data(), problem.size());
  if (kafka_ == nullptr) {
    throw std::runtime_error(std::string("librdkafka makes no producer: ") + problem.data());
  }
  static_cast<void>(configuration.release());  // it is the producer's now
  queue_ = rd_kafka_queue_get_main(kafka_);
  rd_kafka_set_log_queue(kafka_, nullptr);  // the main one
}

Handle::~Handle() {
  purge();
  rd_kafka_queue_destroy(queue_);
  rd_kafka_destroy_flags(kafka_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

Event Handle::next_event(std::chrono::milliseconds time) {
  return {rd_kafka_queue_poll(queue_, static_cast<int>(time.count())), &rd_kafka_event_destroy};
}

void Handle::wake() {
  rd_kafka_queue_yield(queue_);
}

void Handle::purge() {
  rd_kafka_purge(
      kafka_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

}  // namespace kafka
