// What the pool's thread and those that start, stop and probe the instance tell each other: how the
// processes are, and that they are to end.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>

namespace exec_plugin {

// Threads: any.
class News {
 public:
  void reset() {
    const std::lock_guard lock(mutex_);
    known_ = false;
    stop_ = Stop::none;
    problem_ = "no process is ready yet";
  }
  // A process is ready, or none is, and why.
  void set(std::string problem) {
    const std::lock_guard lock(mutex_);
    problem_ = std::move(problem);
    known_ = true;
    changed_.notify_all();
  }
  // Waits for the first of these; empty: a process is ready.
  std::string wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return known_; });
    return problem_;
  }
  std::string problem() const {
    const std::lock_guard lock(mutex_);
    return problem_;
  }

  enum class Stop { none, in_order, at_once };
  void stop(Stop how) {
    const std::lock_guard lock(mutex_);
    stop_ = how;
  }
  Stop wanted_stop() const {
    const std::lock_guard lock(mutex_);
    return stop_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Protected by mutex_.
  bool known_ = false;
  Stop stop_ = Stop::none;
  std::string problem_;
};

}  // namespace exec_plugin
