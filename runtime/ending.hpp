// What ends the process while it is already ending. Both start a thread and return.
#pragma once

#include "base/clock.hpp"
#include "base/log.hpp"
#include "signals.hpp"

namespace triggerd {

// A second signal: whoever sent it wants the process gone, whatever is in flight.
void end_at_the_next(const Signals& signals);
// Everything has a bound of its own, so this is for what nobody thought of. `log` stays.
void end_when_late(Millis at_most, Log& log);

}  // namespace triggerd
