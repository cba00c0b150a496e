// triggerctl import-webmethods: see docs/guides/import-webmethods.md. Needs no runtime.
#pragma once

#include "command_line.hpp"

namespace triggerctl {

void add_import_verbs(CommandLine& line);

}  // namespace triggerctl
