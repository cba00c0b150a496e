// Completion scripts and manual pages, generated from the command line.
#pragma once

#include <string>
#include <vector>

#include "command_line.hpp"

namespace triggerctl {

// Call this after all others, which these verbs describe.
void add_shell_verbs(CommandLine& line);

// "__names KIND WORD...": called by completion scripts. Prints the names that exist, one per line,
// or nothing if triggerd cannot be asked. `words` are those of the command line so far, which may
// say how to reach it.
int print_names(const std::string& kind, const std::vector<std::string>& words);

}  // namespace triggerctl
