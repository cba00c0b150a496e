#include "dispatch/pace.hpp"

#include <algorithm>
#include <utility>

namespace triggerd::dispatch {

// Rounded up, so that the rate is never exceeded.
Pace::Pace(const config::Rate& rate) {
  if (!rate.limited()) return;
  const Monotonic::duration per = rate.per;
  interval_ = (per + Monotonic::duration(rate.count - 1)) / rate.count;
  burst_ = 1 + static_cast<std::size_t>(kTolerance / interval_);
}

void Pace::count(Monotonic began) {
  due_ = std::max(due_, began) + interval_;
}

std::uint64_t Pace::begin(Monotonic now) {
  if (due_ <= now) {  // nothing before this matters any more
    first_turn_ += began_.size();
    began_.clear();
    stale_ = false;
    due_before_ = now;
  } else if (began_.size() == kRemembered) {
    const Monotonic first = began_.front();
    if (first != Monotonic::min()) due_before_ = std::max(due_before_, first) + interval_;
    began_.pop_front();
    ++first_turn_;
  }
  began_.push_back(now);
  count(now);
  if (due_ - kTolerance > now && stale_) count_again();
  closed_ = due_ - kTolerance > now;
  return first_turn_ + began_.size() - 1;
}

void Pace::give_back(std::uint64_t turn) {
  if (turn < first_turn_ || turn - first_turn_ >= began_.size()) return;
  began_[turn - first_turn_] = Monotonic::min();
  stale_ = true;
  if (closed_) count_again();
}

void Pace::count_again() {
  due_ = due_before_;
  for (const Monotonic began : began_) {
    if (began != Monotonic::min()) count(began);
  }
  stale_ = false;
}

bool Pace::pass_time(Monotonic now) {
  if (!closed_ || now < opens_at()) return false;
  closed_ = false;
  return true;
}

void Pace::note_waiting(bool waits, Monotonic now) {
  if (waits == holds()) return;
  if (waits) {
    held_since_ = now;
  } else {
    held_ += now - std::exchange(held_since_, Monotonic::max());
  }
}

Monotonic::duration Pace::held(Monotonic now) const {
  return holds() ? held_ + (now - held_since_) : held_;
}

}  // namespace triggerd::dispatch
