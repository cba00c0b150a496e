// EventLoop: runs tasks and timers one after another, on one thread.
//
// The supervisor of mqtt/ and the timer of trigger/ are one each. State that only tasks of one loop
// touch needs no lock. In unit tests nobody calls run(): the test turns its clock and calls
// run_due().
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
  // Names a timer for cancel(). The default one names none.
  struct TimerId {
    Monotonic when{};
    std::uint64_t serial = 0;
    // clang-tidy 14 takes the zero in what the compiler writes for one of ours.
    auto operator<=>(const TimerId&) const = default;  // NOLINT(modernize-use-nullptr)
  };

  explicit EventLoop(const Clock& clock) : clock_(clock) {}

  // Runs `task` after those posted before it. [any thread]
  void post(Task task);
  // Runs `task` once `when` has come. [any thread]
  TimerId at(Monotonic when, Task task);
  TimerId after(Millis delay, Task task) { return at(clock_.now() + delay, std::move(task)); }
  // A timer that has run, or was never set, is left alone. From a task of the loop itself: the
  // timer's task does not run after this. [any thread]
  void cancel(TimerId id);

  // Runs everything that is due now, including what these tasks post. Returns how many ran.
  std::size_t run_due();
  // The body of the loop's thread. Needs the system clock.
  void run(const std::stop_token& stop);

  const Clock& clock() const { return clock_; }

 private:
  // Takes the next due task; an empty one where there is none.
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
