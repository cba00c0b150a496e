// What a change of the configuration did.
#pragma once

#include "output.hpp"

namespace triggerctl {

// Prints it. kFailed if something was applied but does not run.
int print_report(const Json& report);

}  // namespace triggerctl
