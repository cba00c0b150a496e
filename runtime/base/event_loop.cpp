#include "base/event_loop.hpp"

namespace triggerd {

void EventLoop::post(Task task) {
  MutexLock lock(mutex_);
  posted_.push_back(std::move(task));
  wake_.notify_one();
}

EventLoop::TimerId EventLoop::at(Monotonic when, Task task) {
  MutexLock lock(mutex_);
  const TimerId id{when, ++last_serial_};
  const auto [position, inserted] = timers_.emplace(id, std::move(task));
  if (position == timers_.begin()) wake_.notify_one();
  return id;
}

void EventLoop::cancel(TimerId id) {
  MutexLock lock(mutex_);
  timers_.erase(id);
}

EventLoop::Task EventLoop::take_due() {
  MutexLock lock(mutex_);
  if (next_posted_ < posted_.size()) {
    Task task = std::move(posted_[next_posted_++]);
    if (next_posted_ == posted_.size()) {
      posted_.clear();
      next_posted_ = 0;
    }
    return task;
  }
  const auto first = timers_.begin();
  if (first == timers_.end() || first->first.when > clock_.now()) return {};
  Task task = std::move(first->second);
  timers_.erase(first);
  return task;
}

std::size_t EventLoop::run_due() {
  std::size_t count = 0;
  while (Task task = take_due()) {
    task();
    ++count;
  }
  return count;
}

void EventLoop::run(const std::stop_token& stop) {
  const std::stop_callback wake_up(stop, [this] { post([] {}); });
  while (!stop.stop_requested()) {
    run_due();
    MutexLock lock(mutex_);
    // Asked under the lock: run_due() may have eaten the wake-up of a stop that came meanwhile.
    if (!posted_.empty() || stop.stop_requested()) continue;
    if (timers_.empty()) {
      wake_.wait(mutex_);
    } else {
      const Monotonic when = timers_.begin()->first.when;
      if (when > clock_.now()) wake_.wait_until(mutex_, when);
    }
  }
}

}  // namespace triggerd
