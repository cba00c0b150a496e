// Fans events out to their listeners. Most of the time there are none; then an event costs only the
// read of one atomic, with which its publisher asks whether it is wanted.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/mutex.hpp"
#include "management/events.hpp"

namespace triggerd::management {

// Thread-safe. Takes only its own lock and that of each queue, so publish() may be called with any
// other lock held.
class EventBus final : public EventSource {
 public:
  // `clock` stamps events that have no time of their own, and outlives the bus.
  explicit EventBus(const Clock& clock) : clock_(clock) {}

  // Whether anybody listens to messages, or to changes of state: if not, do not make the event.
  bool wants_messages() const { return message_listeners_.load(std::memory_order_relaxed) > 0; }
  bool wants_states() const { return state_listeners_.load(std::memory_order_relaxed) > 0; }
  void publish(AdminEvent event);

  std::unique_ptr<Subscription> subscribe(const EventFilter& filter, std::size_t capacity) override;
  // Ends all subscriptions, because the runtime stops.
  void end();

 private:
  class Queue;
  class Listener;

  const Clock& clock_;
  std::atomic<unsigned> message_listeners_{0};
  std::atomic<unsigned> state_listeners_{0};
  std::atomic<std::uint64_t> last_number_{0};
  Mutex mutex_;
  std::vector<std::shared_ptr<Queue>> queues_ TRIGGERD_GUARDED_BY(mutex_);
  bool ended_ TRIGGERD_GUARDED_BY(mutex_) = false;
};

// A log that also publishes changes of state on the bus, since each of them is logged anyway.
class EventLog final : public Log {
 public:
  EventLog(Log& log, EventBus& bus) : log_(log), bus_(bus) {}
  bool enabled(LogLevel level) const override {
    return log_.enabled(level) || (level >= LogLevel::info && bus_.wants_states());
  }
  void write(LogLevel level, std::string_view event, LogFields fields,
             std::string_view text) override;

 private:
  Log& log_;
  EventBus& bus_;
};

}  // namespace triggerd::management
