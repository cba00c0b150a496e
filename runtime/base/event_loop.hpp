// Runs tasks and timers one after another, on one thread.
//
// State that only tasks of one loop touch needs no lock. Unit tests do not call run(): they advance
// their clock and call run_due().
//
// A lock of its own, which is not held while a task runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <stop_token>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/mutex.hpp"

namespace triggerd {

class EventLoop {
 public:
  using Task = std::function<void()>;
  // Identifies a timer for cancel(). A default-constructed one identifies none.
  struct TimerId {
    Monotonic when{};
    std::uint64_t serial = 0;
    // clang-tidy 14 takes the zero in the generated code for one of ours.
    auto operator<=>(const TimerId&) const = default;  // NOLINT(modernize-use-nullptr)
  };

  explicit EventLoop(const Clock& clock) : clock_(clock) {}

  // Runs `task` after those posted before it. [any thread]
  void post(Task task);
  // Runs `task` at `when`, or soon after. [any thread]
  TimerId at(Monotonic when, Task task);
  TimerId after(Millis delay, Task task) { return at(clock_.now() + delay, std::move(task)); }
  // Does nothing for a timer that has run or was never set. Called from a task of the loop itself,
  // it guarantees that the timer's task does not run any more. [any thread]
  void cancel(TimerId id);

  // Runs everything that is due now, including what these tasks post. Returns how many ran.
  std::size_t run_due();
  // The body of the loop's thread. Needs the system clock.
  void run(const std::stop_token& stop);

  const Clock& clock() const { return clock_; }

 private:
  // Takes the next due task; an empty one if there is none.
  Task take_due();

  const Clock& clock_;
  Mutex mutex_;
  CondVar wake_;
  std::uint64_t last_serial_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  std::vector<Task> posted_ TRIGGERD_GUARDED_BY(mutex_);
  std::size_t next_posted_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  std::map<TimerId, Task> timers_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd
