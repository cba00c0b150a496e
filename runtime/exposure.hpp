// What of the runtime's own files others on this machine may read or change.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"

namespace triggerd {

// One line for each file, with what to do. Files that are not there are not told of. [main thread]
std::vector<std::string> exposed_files(const config::Config& config);

}  // namespace triggerd
