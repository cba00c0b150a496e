// Reads what earlier processes accepted and did not finish. It is handled before new messages, as
// far as memory allows, so a trigger connects only once all of it is read.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "base/task_guard.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/intake.hpp"

namespace triggerd::trigger {

// [supervisor], except its construction.
class BacklogLoader {
 public:
  // All outlive it. `trigger` is for the log; `done` is called once, when all is read.
  BacklogLoader(std::string trigger, dispatch::Intake& intake, dispatch::Dispatcher& dispatcher,
                EventLoop& supervisor, const TaskGuard& tasks, Log& log, std::function<void()> done)
      : trigger_(std::move(trigger)),
        intake_(intake),
        dispatcher_(dispatcher),
        supervisor_(supervisor),
        tasks_(tasks),
        log_(log),
        done_callback_(std::move(done)) {}

  void begin();
  // There may be room for more. Does nothing before begin(), nor once all is read.
  void go_on();
  // Reads no more, whatever is left.
  void stop() { stopped_ = true; }
  bool done() const { return done_; }

 private:
  const std::string trigger_;
  dispatch::Intake& intake_;
  dispatch::Dispatcher& dispatcher_;
  EventLoop& supervisor_;
  const TaskGuard& tasks_;
  Log& log_;
  const std::function<void()> done_callback_;
  bool begun_ = false;
  bool done_ = false;
  std::atomic<bool> stopped_{false};  // [any]
};

}  // namespace triggerd::trigger
