// triggerctl plugin probe
#pragma once

#include <string>

namespace triggerctl {

int probe_plugin(const std::string& file);

}  // namespace triggerctl
