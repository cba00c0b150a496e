// One producer of librdkafka, and the queue of everything that it has to say.
#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <memory>
#include <string>

#include "client_options.hpp"

namespace kafka {

using Event = std::unique_ptr<rd_kafka_event_t, decltype(&rd_kafka_event_destroy)>;

// Its destructor drops what is not delivered, closes all connections and joins librdkafka's
// threads: after it nothing refers to a message any more. It waits for a host name lookup that is
// under way, which nobody can interrupt.
//
// Threads: any; next_event() one at a time.
class Handle {
 public:
  // Throws std::runtime_error if librdkafka makes none.
  explicit Handle(Configuration configuration);
  ~Handle();
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  rd_kafka_t* get() const { return kafka_; }

  // Empty if there was none in time, or wake() was called.
  Event next_event(std::chrono::milliseconds time);
  void wake();
  // Ends all messages: their delivery reports are among the next events.
  void purge();
  int unfinished() const { return rd_kafka_outq_len(kafka_); }

 private:
  rd_kafka_t* kafka_ = nullptr;
  rd_kafka_queue_t* queue_ = nullptr;
};

}  // namespace kafka
