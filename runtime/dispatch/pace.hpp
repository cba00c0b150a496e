// At which pace a trigger's attempts may begin: max_rate, as a generic cell rate algorithm.
//
// Each attempt moves the time that the next one is due by one interval, from now if that time has
// passed. An attempt may begin up to kTolerance before it is due, so that a timer that comes late
// does not lower the rate, and so that at a high rate several begin between two timers. In any time
// T, at most 1 + (T + kTolerance) / interval attempts begin; those that were given back are not
// counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "base/clock.hpp"
#include "config/pacing.hpp"

namespace triggerd::dispatch {

// Guarded by its dispatcher's lock.
class Pace {
 public:
  static constexpr Millis kTolerance{10};

  explicit Pace(const config::Rate& rate);

  bool limited() const { return interval_ > Monotonic::duration(0); }
  // No attempt may begin before opens_at(), and then only once pass_time() was called.
  bool closed() const { return closed_; }
  // When to call pass_time(), while closed(): half of the tolerance after the first moment at which
  // one could begin, so that the rest of it is left for a late timer.
  Monotonic opens_at() const { return due_ - kTolerance / 2; }
  // The most attempts that may begin at once.
  std::size_t burst() const { return burst_; }

  // An attempt begins; not while closed(), and only if limited(). Returns what give_back() is to be
  // told.
  std::uint64_t begin(Monotonic now);
  // The service has not seen the message: it is as if the attempt had not begun. An attempt that is
  // followed by more than kRemembered others counts all the same.
  void give_back(std::uint64_t turn);
  // Opens if it is time. False: it was open, or stays closed.
  bool pass_time(Monotonic now);

  // Whether a message waits only because this is closed; told whenever that may have changed.
  void note_waiting(bool waits, Monotonic now);
  bool holds() const { return held_since_ != Monotonic::max(); }
  // How long messages have waited for this and nothing else, in all, up to `now`.
  Monotonic::duration held(Monotonic now) const;

 private:
  static constexpr std::size_t kRemembered = 1024;

  void count(Monotonic began);
  void count_again();

  Monotonic::duration interval_{0};
  std::size_t burst_ = SIZE_MAX;
  bool closed_ = false;
  Monotonic due_{};  // of the next attempt
  // What due_ was made of, for give_back(): what it was before the first of these attempts, when
  // they began, and the number of the first.
  Monotonic due_before_{};
  std::deque<Monotonic> began_;  // Monotonic::min(): given back
  std::uint64_t first_turn_ = 1;
  bool stale_ = false;  // due_ counts attempts that were given back
  Monotonic held_since_ = Monotonic::max();
  Monotonic::duration held_{0};
};

}  // namespace triggerd::dispatch
