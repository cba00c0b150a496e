// Settings of a trigger from the command line.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "config/trigger.hpp"

namespace triggerctl {

// A JSON object ("" is an empty one), and KEY=VALUE on top of it: KEY is a dotted path, VALUE a
// number, true, false or a JSON string if it can be read as one, otherwise plain text.
triggerd::Result<triggerd::config::Settings> settings_from(const std::string& json,
                                                           const std::vector<std::string>& set);

}  // namespace triggerctl
