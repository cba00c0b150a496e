// triggerd.8, made of the command line that it describes; the build asks for it.
#pragma once

#include <CLI/CLI.hpp>

namespace triggerd {

// To standard output. Returns an exit code.
int print_manual_page(const CLI::App& app);

}  // namespace triggerd
