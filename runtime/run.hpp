// The runtime in this process, from its log to its end. [main thread]
#pragma once

#include <string>

#include "config/config.hpp"
#include "signals.hpp"

namespace triggerd {

// From the first call on, a signal that arrives during the start ends the runtime in good order.
const Signals& own_signals();
// Runs until a signal ends it, and returns the exit code. `file` is the configuration's name.
int run(const std::string& file, config::Config config);

}  // namespace triggerd
