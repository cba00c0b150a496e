// What one hold of the dispatcher's lock leads to: what is to be reported and written once the lock
// is released.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "dispatch/dispatch_event.hpp"

namespace triggerd::dispatch {

// One is made for nearly every message, so what few messages lead to has its own memory.
struct DispatchReport {
  struct Others {
    std::vector<DeliveryPtr> finished;    // before the last one
    std::vector<std::uint64_t> survived;  // identities of messages that Deaths may forget
    std::vector<DispatchEvent> events;
    std::vector<std::pair<DeliveryPtr, std::string>> dead_letters;  // to be written, and why
  };

  DeliveryPtr finished;            // the last one that came to TRIGGER_OK
  std::unique_ptr<Others> others;  // null: nothing else is to be reported
  bool idle_next = false;          // see DeliverySink::finished()
  bool room_changed = false;

  // Before the lock is released:
  bool wake = false;                      // messages may go that could not before
  Monotonic timer_at = Monotonic::max();  // something is due then

  void set_timer(Monotonic when) {
    if (when < timer_at) timer_at = when;
  }
  // Read once for as long as the lock is held.
  Monotonic time(const Clock& clock) {
    if (!now_) now_ = clock.now();
    return *now_;
  }
  void forget_time() { now_.reset(); }

  // As many messages may be finished.
  void expect_finished(std::size_t count) {
    if (count > 1) other().finished.reserve(count - 1);
  }
  void add_finished(DeliveryPtr delivery) {
    if (finished) other().finished.push_back(std::move(finished));
    finished = std::move(delivery);
  }
  void add_survivor(std::uint64_t identity) { other().survived.push_back(identity); }
  void add(DispatchEvent event) { other().events.push_back(std::move(event)); }
  void add_dead_letter(DeliveryPtr delivery, std::string reason) {
    other().dead_letters.emplace_back(std::move(delivery), std::move(reason));
  }
  // Whether there is nothing to report but one finished message.
  bool empty() const { return others == nullptr && !room_changed; }

 private:
  Others& other() {
    if (!others) others = std::make_unique<Others>();
    return *others;
  }

  std::optional<Monotonic> now_;
};

}  // namespace triggerd::dispatch
