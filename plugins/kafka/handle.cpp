#include "handle.hpp"

#include <array>
#include <stdexcept>

namespace kafka {

Handle::Handle(Configuration configuration) {
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
