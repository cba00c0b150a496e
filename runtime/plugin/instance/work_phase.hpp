// Where a worker is: shared by the thread that runs it and the one that wants it to end.
//
// An atomic; its lock is taken only while somebody waits for a change.
#pragma once

#include <atomic>

#include "base/clock.hpp"
#include "base/mutex.hpp"

namespace triggerd::plugin {

class WorkPhase {
 public:
  enum class Phase {
    waiting,     // its thread has begun and waits for release()
    released,    // it may begin
    away,        // nobody runs it now
    in_source,   // it is inside a function of its source
    in_service,  // it is inside a call of the service
    gone,        // it has ended
    cut          // still inside the service, and nobody waits for it any more
  };

  WorkPhase(Phase first, const Clock& clock) : clock_(clock), phase_(first) {}

  // False: the worker was cut off or is gone, and must touch neither its source nor its owner, who
  // may not exist any more. Called twice for each message, so without a lock where nobody waits.
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

  // Lets the worker begin: no message is taken before every thread of the pool has started.
  void release() {
    const MutexLock lock(mutex_);
    phase_ = Phase::released;
    changed_.notify_all();
  }

  // Waits for the worker to end: until `deadline` for a call of the service, and without a bound
  // for the source, which was asked to stop. A worker that is away has ended from now on. False:
  // the service has not returned, and the worker is cut off.
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
      const bool late = clock_.now() >= deadline;
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
  const Clock& clock_;
  Mutex mutex_;
  CondVar changed_;
  std::atomic<Phase> phase_;
  std::atomic<bool> watched_{false};  // somebody waits in come_back()
};

}  // namespace triggerd::plugin
