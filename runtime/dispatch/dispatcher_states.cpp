// Dispatcher: whether it hands messages out, and how many it has.
#include <algorithm>
#include <utility>

#include "dispatch/dispatcher.hpp"

namespace triggerd::dispatch {

bool Dispatcher::may_take() const {
  return !gate_closed_ && !inline_began_ && !one_runs_alone() &&
         (way_.state == Way::State::open || way_.state == Way::State::due) &&
         (!held_ || (trial_ == Trial::wanted && in_flight_ == 0)) && in_flight_ < places_ &&
         late_ < options_.queue_capacity && lanes_.has_ready();
}

std::size_t Dispatcher::calls_that_may_begin() const {
  if (way_.state == Way::State::due) return 1;
  const std::size_t messages = std::min(places_ - in_flight_, lanes_.size());
  return max_batch_ == 1 ? messages : (messages + max_batch_ - 1) / max_batch_;
}

void Dispatcher::set_max_batch(std::size_t messages) {
  MutexLock lock(mutex_);
  max_batch_ = messages;
  places_ = options_.concurrency * messages;
}

std::size_t Dispatcher::unfinished() const {
  return lanes_.size() + in_flight_ + delayed_.size() + writing_dead_letters_ + late_;
}

void Dispatcher::hold() {
  MutexLock lock(mutex_);
  held_ = true;
  way_ = {};
}

void Dispatcher::resume() {
  MutexLock lock(mutex_);
  held_ = false;
  trial_ = Trial::none;
  way_ = {};
  draining_ = false;
  wake_link();
  work_.notify_all();
}

bool Dispatcher::quiesce(Monotonic deadline) {
  MutexLock lock(mutex_);
  gate_closed_ = true;
  while (in_flight_ > 0 && timer_.clock().now() < deadline) quiet_.wait_until(mutex_, deadline);
  return in_flight_ == 0;
}

void Dispatcher::unquiesce() {
  MutexLock lock(mutex_);
  gate_closed_ = false;
  if (way_.state == Way::State::closed) try_way();  // another build may find another way
  wake_link();
  work_.notify_all();
}

void Dispatcher::begin_probe() {
  MutexLock lock(mutex_);
  probe_wanted_ = true;
  wake_link();
  work_.notify_one();
}

const trigger_message* Dispatcher::begin_wanted_probe() {
  if (inline_began_ || !std::exchange(probe_wanted_, false)) return nullptr;
  probe_deadline_ = timer_.clock().now() + options_.timeout;
  probe_out_ = true;
  return &kProbe;
}

bool Dispatcher::probe_is_overdue() const {
  return probe_deadline_ && *probe_deadline_ <= timer_.clock().now();
}

void Dispatcher::probed(const Result<>& outcome) {
  {
    MutexLock lock(mutex_);
    if (!std::exchange(probe_deadline_, std::nullopt)) return;  // nobody has asked
    probe_out_ = false;
  }
  sink_.on_event(event::ProbeEnded{outcome});
}

void Dispatcher::begin_half_open() {
  MutexLock lock(mutex_);
  if (!held_ || trial_ != Trial::none) return;
  trial_ = Trial::wanted;
  wake_link();
  work_.notify_all();
}

std::size_t Dispatcher::room() const {
  MutexLock lock(mutex_);
  const std::size_t inside = unfinished();
  return inside >= options_.queue_capacity ? 0 : options_.queue_capacity - inside;
}

bool Dispatcher::full() const {
  return full_;
}

Dispatcher::Stats Dispatcher::stats() const {
  MutexLock lock(mutex_);
  Stats stats = counts_;
  stats.queued = lanes_.size();
  stats.in_flight = in_flight_;
  stats.delayed = delayed_.size() + writing_dead_letters_;
  stats.late = late_;
  return stats;
}

Dispatcher::Times Dispatcher::times() const {
  constexpr double kSecond = 1e9;
  return {.handle = handle_times_.snapshot(kSecond),
          .delivery = delivery_times_.snapshot(kSecond),
          .batch = batches_.snapshot(1)};
}

}  // namespace triggerd::dispatch
