// triggerctl plugin: verbs for plugin files, which need neither a server nor a runtime.
#pragma once

#include "command_line.hpp"

namespace triggerctl {

void add_plugin_verbs(CommandLine& line);

}  // namespace triggerctl
