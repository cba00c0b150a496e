// What ends the process while it is still starting, or already ending. All start a thread and
// return.
#pragma once

#include <functional>
#include <memory>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "signals.hpp"

namespace triggerd {

// While the runtime is made, where a plugin may hang: the first signal that is to end it calls
// `hurry`, and is kept for Signals::wait(); a second one ends the process. [main]
class StartWatch {
 public:
  StartWatch(const Signals& signals, std::function<void()> hurry);
  ~StartWatch() { static_cast<void>(end()); }
  StartWatch(const StartWatch&) = delete;
  StartWatch& operator=(const StartWatch&) = delete;
  // `hurry` is not called any more. True: it was.
  bool end();

 private:
  struct Shared;
  const Signals& signals_;
  const std::shared_ptr<Shared> shared_;
};

// A second signal: whoever sent it wants the process gone, whatever is in flight.
void end_at_the_next(const Signals& signals);
// Everything has a bound of its own, so this is for what nobody thought of. `log` stays.
void end_when_late(Millis at_most, Log& log);

}  // namespace triggerd
