// triggerctl about itself: completion scripts and manual pages, made of the command line that it
// has.
#pragma once

#include <string>
#include <vector>

#include "command_line.hpp"

namespace triggerctl {

// After all others, which they describe.
void add_shell_verbs(CommandLine& line);

// "__names KIND WORD...": what completion scripts ask for. Prints the names of all there are, one a
// line, and nothing where triggerd cannot be asked. `words` are those of the line so far, which may
// say how to reach it.
int print_names(const std::string& kind, const std::vector<std::string>& words);

}  // namespace triggerctl
