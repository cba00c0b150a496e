// The attempts of a dispatcher: what is in the service's hands, and what it may still read.
//
// An attempt has a slot, which is used again once the attempt is over, and a token that names it
// for ever: the slot in the lower half, a serial number in the upper one.
#pragma once

#include <trigger/plugin.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "dispatch/delivery.hpp"
#include "plugin/work.hpp"

namespace triggerd::dispatch {

struct Attempt {
  enum class State {
    ahead,           // handed over; begins once the one before it ended with TRIGGER_OK
    running,         // in the service's hands: handle() has not returned
    completed,       // complete() was called before handle() returned; `answer` has it
    pending,         // handle() has returned, complete() was not called yet
    overrunning,     // handle() has not returned by the deadline
    expired_pending  // pending past the deadline: over, but the service may still read the message
  };
  State state = State::ahead;
  bool in_use = false;
  DeliveryPtr delivery;
  Monotonic began{};
  Monotonic deadline{};
  plugin::Answer answer;
  bool tests_outage = false;  // its outcome tells whether the outage is over
  std::uint64_t turn = 0;     // see Pace::begin()
  bool let_go = false;        // overrunning and completed: nobody reads it after handle()
  trigger_message message{};
};

// Guarded by its dispatcher's lock, except what is marked [any].
class AttemptTable {
 public:
  // `trigger`: the name that messages carry. `timeout`: from begin() to the deadline.
  AttemptTable(std::string trigger, Millis timeout);

  // A new attempt, which holds a place and has not begun.
  Attempt& add(DeliveryPtr delivery);
  // From now on the attempt counts, and its time runs.
  void begin(Attempt& attempt, Monotonic now);
  // Null: the attempt is over, or never was.
  Attempt* find(std::uint64_t token) const;
  // handle() has not returned in time: the attempt keeps its place.
  void mark_overrunning(Attempt& attempt);
  // The attempt is over and its place is free, but its message stays in memory until remove().
  void mark_expired_pending(Attempt& attempt);
  // The attempt is over, its token is stale, and nobody reads its message. Returns its delivery.
  DeliveryPtr remove(Attempt& attempt);

  // Adds to `expired` the attempts whose deadline has passed and that are not marked yet. Returns
  // the earliest deadline of the others, or Monotonic::max().
  Monotonic find_expired(Monotonic now, std::vector<Attempt*>& expired) const;
  // The attempt that began last; null if it is over.
  const Attempt* last_begun() const;
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& attempt : attempts_) {
      if (attempt->in_use) visit(*attempt);
    }
  }

  // Those that hold a place: all but expired_pending.
  std::size_t in_flight() const { return in_flight_; }
  std::size_t expired_pending() const { return expired_pending_; }
  std::size_t overrunning() const { return overrunning_; }  // [any]

 private:
  const std::string trigger_;
  const Millis timeout_;
  std::vector<std::unique_ptr<Attempt>> attempts_;  // by slot
  std::vector<std::uint32_t> free_slots_;
  std::uint32_t last_serial_ = 0;
  std::uint32_t last_begun_ = 0;  // the slot
  std::size_t in_flight_ = 0;
  std::size_t expired_pending_ = 0;
  std::atomic<std::size_t> overrunning_{0};
};

}  // namespace triggerd::dispatch
