// How a suspended trigger finds out that it may go on: from time to time its monitor service is
// asked, or else the service's own probe; if that succeeds, or there is neither, one message is
// given to the service (a half-open attempt). If that is handled, the trigger is resumed.
#pragma once

#include <functional>
#include <string>

#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "base/mutex.hpp"
#include "base/result.hpp"
#include "base/task_guard.hpp"

namespace triggerd::trigger {

// Thread-safe; its lock is a leaf. Tries come on the timer.
class Recovery {
 public:
  struct Steps {
    std::function<bool()> suspended;    // and not stopping
    std::function<bool()> ask_monitor;  // false: the trigger has none. The answer goes to probed().
    std::function<bool()> ask_probe;    // false: the service has none. The same.
    std::function<void()> try_message;  // its outcome leads to message_failed() or a resume
  };

  // All outlive it. `trigger` is for the log.
  Recovery(std::string trigger, Millis interval, Steps steps, EventLoop& timer,
           const TaskGuard& tasks, Log& log)
      : trigger_(std::move(trigger)),
        interval_(interval),
        steps_(std::move(steps)),
        timer_(timer),
        tasks_(tasks),
        log_(log) {}

  // Tries after the interval, which replaces any time set before. [any]
  void arm();
  // The monitor or the probe has answered. [worker]
  void probed(const Result<>& outcome);
  // The message that was tried was not handled. [any]
  void message_failed();

 private:
  void try_now();
  void try_message();

  const std::string trigger_;
  const Millis interval_;
  const Steps steps_;
  EventLoop& timer_;
  const TaskGuard& tasks_;
  Log& log_;
  Mutex mutex_;
  EventLoop::TimerId armed_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::trigger
