// What ends the process while it is still starting, or already shutting down. All of these start a
// thread and return.
#pragma once

#include <functional>
#include <memory>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "signals.hpp"

namespace triggerd {

// For the time in which the runtime is made, when a plugin may hang: the first signal that asks it
// to end calls `hurry`, and is kept for Signals::wait(); a second one ends the process. [main]
class StartWatch {
 public:
  StartWatch(const Signals& signals, std::function<void()> hurry);
  ~StartWatch() { static_cast<void>(end()); }
  StartWatch(const StartWatch&) = delete;
  StartWatch& operator=(const StartWatch&) = delete;
  // From now on `hurry` is not called. True: it has been.
  bool end();

 private:
  struct Shared;
  const Signals& signals_;
  const std::shared_ptr<Shared> shared_;
};

// Ends the process at a second signal: whoever sent it wants it gone, whatever is in flight.
void end_at_the_next(const Signals& signals);
// Ends the process if the shutdown takes longer. Each of its steps has a limit of its own, so this
// is for what nobody thought of. `log` must never be destroyed.
void end_when_late(Millis at_most, Log& log);

}  // namespace triggerd
