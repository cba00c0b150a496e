// Which of the runtime's own files other users of this machine can read or change.
#pragma once

#include <string>
#include <vector>

#include "config/config_fwd.hpp"

namespace triggerd {

// One line per file, with what to do. Skips files that do not exist. [main thread]
std::vector<std::string> exposed_files(const config::Config& config);

}  // namespace triggerd
