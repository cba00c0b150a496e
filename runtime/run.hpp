// The runtime in this process, from its log to its end. [main thread]
#pragma once

#include <string>

#include "config/config.hpp"
#include "signals.hpp"

namespace triggerd {

// From the first call on they are waited for: one that comes while it starts ends it in good order.
const Signals& own_signals();
// Until a signal ends it. `file` is the configuration's name. What the program is to exit with.
int run(const std::string& file, config::Config config);

}  // namespace triggerd
