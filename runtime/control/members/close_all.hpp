#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/clock.hpp"
#include "base/mutex.hpp"

namespace triggerd::control {

// Calls close(element, done) for each, and waits until every `done` was called, at most to the
// deadline.
template <class Each, class Close>
void close_all(const std::vector<Each>& each, Close close, Monotonic deadline) {
  struct Count {
    Mutex mutex;
    CondVar changed;
    std::size_t open TRIGGERD_GUARDED_BY(mutex) = 0;
  };
  const auto count = std::make_shared<Count>();  // a late `done` finds it, whenever it comes
  {
    MutexLock lock(count->mutex);
    count->open = each.size();
  }
  for (const auto& element : each) {
    close(element, [count] {
      MutexLock lock(count->mutex);
      --count->open;
      count->changed.notify_all();
    });
  }
  MutexLock lock(count->mutex);
  while (count->open > 0 &&
         count->changed.wait_until(count->mutex, deadline) == std::cv_status::no_timeout) {
  }
}

}  // namespace triggerd::control
