// For an object that leaves tasks with an EventLoop and may go before they run.
//
//   loop.post(tasks_([this] { ... }));
//
// After end() no task begins any more. One may be under way: whoever destroys the object waits for
// pass() of each loop first.
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

// Waits until `loop`, which runs on another thread, is done with what was posted before. False: not
// by `deadline`; its thread may have ended.
[[nodiscard]] bool passes(EventLoop& loop, Monotonic deadline);
// The same of a loop that is sure to run on.
void pass(EventLoop& loop);

}  // namespace triggerd
