// When the next worker is started: after a delay that doubles with every worker that ended without
// having handled a message.
//
// [link], without a lock.
#pragma once

#include <algorithm>
#include <utility>

#include "base/backoff.hpp"
#include "base/clock.hpp"

namespace triggerd::plugin::isolation {

class RestartTimer {
 public:
  RestartTimer(const Backoff& backoff, Random random, const Clock& clock)
      : backoff_(backoff), random_(std::move(random)), clock_(clock) {}

  // A worker has ended, or could not be started. Returns the delay until the next one.
  Millis worker_ended(bool handled_a_message) {
    failures_ = handled_a_message ? 1 : failures_ + 1;
    const Millis delay = backoff_.delay(failures_, random_());
    due_ = clock_.now() + delay;
    return delay;
  }
  // No worker is to be started until the next one has ended.
  void clear() { due_ = Monotonic::max(); }
  bool is_set() const { return due_ != Monotonic::max(); }
  bool due() const { return clock_.now() >= due_; }
  // Until it is due, but at most `bound`.
  Millis left(Millis bound) const {
    if (!is_set()) return bound;
    return std::clamp(std::chrono::ceil<Millis>(due_ - clock_.now()), Millis(0), bound);
  }

 private:
  const Backoff backoff_;
  const Random random_;
  const Clock& clock_;
  unsigned failures_ = 0;  // workers in a row that have handled nothing
  Monotonic due_ = Monotonic::max();
};

}  // namespace triggerd::plugin::isolation
