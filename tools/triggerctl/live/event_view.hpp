// One event of triggerd as one line.
#pragma once

#include <string>

#include "output.hpp"

namespace triggerctl {

std::string event_line(const Json& event);

}  // namespace triggerctl
