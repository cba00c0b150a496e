// What a change of the configuration did.
#pragma once

#include "output.hpp"

namespace triggerctl {

// Prints it. kFailed where something was applied and does not run.
int print_report(const Json& report);

}  // namespace triggerctl
