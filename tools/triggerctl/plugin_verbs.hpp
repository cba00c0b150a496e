// triggerctl plugin: what is done with plugin files, without a server and without a runtime.
#pragma once

#include "command_line.hpp"

namespace triggerctl {

void add_plugin_verbs(CommandLine& line);

}  // namespace triggerctl
