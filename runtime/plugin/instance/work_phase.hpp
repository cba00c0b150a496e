// Where a worker is: between whoever runs it and whoever wants it to end.
#pragma once

#include <atomic>

#include "base/clock.hpp"
#include "base/mutex.hpp"

namespace triggerd::plugin {

class WorkPhase {
 public:
  enum class Phase {
    waiting,    // its thread is there, and waits for release()
    released,   //
    away,       // nobody runs it now
    in_source,  // its source is being asked, or told
    in_service,
    gone,  // for good
    cut    // still in the service, and nobody waits for it any more
  };

  explicit WorkPhase(Phase first) : phase_(first) {}

  // False: cut off, or gone; neither the source nor whoever has ended it may be there any more.
  // Twice for each message, so without a lock where nobody watches.
  bool enter(Phase phase) {
    Phase before = phase_;
    if (before == Phase::waiting) {
      const MutexLock lock(mutex_);
      while (phase_ == Phase::waiting) changed_.wait(mutex_);
      before = phase_;
    }
    do {
      if (before == Phase::cut || before == Phase::gone) return false;
    } while (!phase_.compare_exchange_weak(before, phase));
    if (watched_) {
      const MutexLock lock(mutex_);
      changed_.notify_all();
    }
    return true;
  }

  // Nobody takes a message before every thread of the pool is there.
  void release() {
    const MutexLock lock(mutex_);
    phase_ = Phase::released;
    changed_.notify_all();
  }

  // Waits until `deadline` for it to be gone, and without a bound for a source that was asked to
  // stop. One that is away is gone from now on. False: the service has not returned, and the worker
  // is cut off.
  bool come_back(Monotonic deadline) {
    const MutexLock lock(mutex_);
    watched_ = true;
    for (;;) {
      Phase phase = phase_;
      if (phase == Phase::gone) return true;
      if (phase == Phase::away) {
        if (phase_.compare_exchange_strong(phase, Phase::gone)) return true;
        continue;
      }
      const bool late = std::chrono::steady_clock::now() >= deadline;
      if (late && phase == Phase::in_service) {
        if (phase_.compare_exchange_strong(phase, Phase::cut)) return false;
        continue;
      }
      if (late) {
        changed_.wait(mutex_);
      } else {
        changed_.wait_until(mutex_, deadline);
      }
    }
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::atomic<Phase> phase_;
  std::atomic<bool> watched_{false};  // somebody waits in come_back()
};

}  // namespace triggerd::plugin
