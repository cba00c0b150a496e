// Dispatcher: what is left when a trigger ends, or its service is replaced.
#include <algorithm>

#include "dispatch/dispatcher_attempt.hpp"

namespace triggerd::dispatch {

void Dispatcher::end_expired_pending() {
  Report report;
  {
    MutexLock lock(mutex_);
    for (const auto& attempt : attempts_) {
      if (!attempt->in_use || attempt->state != Attempt::State::late) continue;
      --late_;
      end_attempt(*attempt);
    }
    stall_told_ = false;
    note_room(report);
  }
  tell(report);
}

void Dispatcher::for_each_unfinished(const std::function<void(const DeliveryPtr&)>& visit) const {
  MutexLock lock(mutex_);
  lanes_.for_each(visit);
  for (const auto& [due, delivery] : delayed_) visit(delivery);
  for (const auto& attempt : attempts_) {
    if (attempt->in_use) visit(attempt->delivery);
  }
}

bool Dispatcher::nothing_left_before(Monotonic deadline) const {
  if (in_flight_ > 0 || writing_dead_letters_ > 0) return false;
  const bool waits = way_.state == Way::State::closed && way_.next > deadline;
  if (lanes_.has_ready() && !held_ && !waits && late_ < options_.queue_capacity) return false;
  return delayed_.empty() || delayed_.begin()->first > deadline;
}

bool Dispatcher::drain(Monotonic deadline, Monotonic pause) {
  MutexLock lock(mutex_);
  // Once: who fails again waits as ever, or a stop would use up all of its attempts.
  if (!std::exchange(draining_, true)) {
    Report none;
    for (auto& [due, delivery] : std::exchange(delayed_, {})) {
      if (delivery->unwritten_dead_letter) {
        delayed_.emplace(due, std::move(delivery));
      } else {
        go_again(std::move(delivery), none);
      }
    }
    if (way_.state == Way::State::closed) try_way();
    if (may_take()) wake_workers();  // for what was left to the receive thread
  }
  const Monotonic until = std::min(deadline, pause);
  while (!nothing_left_before(deadline) && timer_.clock().now() < until) {
    quiet_.wait_until(mutex_, until);
  }
  return nothing_left_before(deadline);
}

void Dispatcher::revoke_pending() {
  MutexLock lock(mutex_);
  for (const auto& attempt : attempts_) {
    if (!attempt->in_use || attempt->state != Attempt::State::pending) continue;
    try_again(*attempt);
    attempt->state = Attempt::State::late;
    --in_flight_;
    ++late_;
    --attempt->delivery->attempts;  // that one was taken back, whatever would have come of it
    attempt->delivery->set_last_reason("the instance was stopped before the service completed it");
    delayed_.emplace(timer_.clock().now(), attempt->delivery);
    arm(timer_.clock().now());
  }
}

std::vector<DeliveryPtr> Dispatcher::take_unfinished() {
  MutexLock lock(mutex_);
  std::vector<DeliveryPtr> all = lanes_.take_all();
  for (auto& [due, delivery] : std::exchange(delayed_, {})) all.push_back(std::move(delivery));
  for (const auto& attempt : attempts_) {
    const bool in_hands = attempt->in_use && (attempt->state == Attempt::State::running ||
                                              attempt->state == Attempt::State::overdue);
    if (!in_hands) continue;
    attempt->delivery->set_last_reason("the service had not returned");
    attempt->delivery->failed = attempt->delivery->attempts.load();
    all.push_back(attempt->delivery);
  }
  std::sort(all.begin(), all.end(),
            [](const DeliveryPtr& a, const DeliveryPtr& b) { return a->place < b->place; });
  return all;
}

}  // namespace triggerd::dispatch
