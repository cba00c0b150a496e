// Functions that other threads have run on the link thread while they wait for them.
//
// A lock of its own, which is never held while a function runs.
#pragma once

#include <sys/eventfd.h>

#include <deque>
#include <functional>

#include "base/mutex.hpp"

namespace triggerd::plugin::isolation {

class CallQueue {
 public:
  // `doorbell` is an eventfd that the link thread waits for. It outlives this.
  explicit CallQueue(int doorbell) : doorbell_(doorbell) {}
  CallQueue(const CallQueue&) = delete;
  CallQueue& operator=(const CallQueue&) = delete;

  // Has the link thread run `function`, and returns once it has. Not after close(). [any but link]
  void call(const std::function<void()>& function) {
    Call queued{.function = &function};
    const MutexLock lock(mutex_);
    calls_.push_back(&queued);
    static_cast<void>(::eventfd_write(doorbell_, 1));
    while (!queued.done) done_.wait(mutex_);
  }
  // Nobody calls any more: the link thread is to end. [any but link]
  void close() {
    const MutexLock lock(mutex_);
    closed_ = true;
    static_cast<void>(::eventfd_write(doorbell_, 1));
  }

  // Runs what is queued. [link]
  void run_all() {
    while (Call* const next = take()) {
      (*next->function)();
      const MutexLock lock(mutex_);
      next->done = true;
      done_.notify_all();
    }
  }
  bool closed() const {
    const MutexLock lock(mutex_);
    return closed_;
  }
  // Whether somebody waits: for a function to run, or for the thread to end. [any]
  bool somebody_waits() const {
    const MutexLock lock(mutex_);
    return closed_ || !calls_.empty();
  }

 private:
  struct Call {
    const std::function<void()>* function;
    bool done = false;
  };

  Call* take() {
    const MutexLock lock(mutex_);
    if (calls_.empty()) return nullptr;
    Call* const next = calls_.front();
    calls_.pop_front();
    return next;
  }

  const int doorbell_;
  mutable Mutex mutex_;
  CondVar done_;
  std::deque<Call*> calls_ TRIGGERD_GUARDED_BY(mutex_);
  bool closed_ TRIGGERD_GUARDED_BY(mutex_) = false;
};

}  // namespace triggerd::plugin::isolation
