// Wakes one thread at a time that others may set, and set back, as often as they like: unlike a
// condition variable it costs that thread nothing until it is time.
#pragma once

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/mutex.hpp"

namespace triggerd {

class Alarm {
 public:
  // Throws std::system_error where there is no descriptor left.
  Alarm();

  // When it rings, in the place of what was set before: at once where that has passed, never at
  // Monotonic::max(). [any]
  void set(Monotonic when) const;
  // Until it rings, without the mutex. [one thread]
  void wait(Mutex& mutex) const TRIGGERD_REQUIRES(mutex);

 private:
  UniqueFd timer_;
};

}  // namespace triggerd
