// For an object that posts tasks to an EventLoop and may be destroyed before they run.
//
//   loop.post(tasks_([this] { ... }));
//
// After end() no task begins any more. One may still be running, so whoever destroys the object
// calls pass() for each loop first.
//
// An atomic; no lock. [any]
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "base/event_loop.hpp"

namespace triggerd {

class TaskGuard {
 public:
  template <class Task>
  auto operator()(Task task) const {
    return [ended = ended_, task = std::move(task)]() mutable {
      if (!ended->load()) task();
    };
  }
  void end() { *ended_ = true; }

 private:
  const std::shared_ptr<std::atomic<bool>> ended_ = std::make_shared<std::atomic<bool>>(false);
};

// Waits until `loop`, which runs on another thread, has run what was posted before. False: it has
// not by `deadline`; its thread may have ended.
[[nodiscard]] bool passes(EventLoop& loop, Monotonic deadline);
// The same, for a loop that is sure to run on.
void pass(EventLoop& loop);

}  // namespace triggerd
