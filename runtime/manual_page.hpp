// triggerd.8, generated from the command line that it describes; the build asks for it.
#pragma once

#include "command_line/command.hpp"

namespace triggerd {

// To standard output. Returns an exit code.
int print_manual_page(command_line::Command root);

}  // namespace triggerd
