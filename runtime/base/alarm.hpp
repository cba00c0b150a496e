// Wakes one waiting thread at a given time. Other threads may change that time as often as they
// like; unlike notifying a condition variable, this does not wake the thread before it is time.
//
// A timer of the kernel, without a lock.
#pragma once

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/mutex.hpp"

namespace triggerd {

class Alarm {
 public:
  // Throws std::system_error if there is no file descriptor left.
  Alarm();

  // Sets when it rings, replacing what was set before: at once if that time has passed, never if it
  // is Monotonic::max(). [any]
  void set(Monotonic when) const;
  // Waits until it rings, with the mutex released. [one thread]
  void wait(Mutex& mutex) const TRIGGERD_REQUIRES(mutex);

 private:
  UniqueFd timer_;
};

}  // namespace triggerd
