// What the program does instead of running, and how it reports errors. [main thread]
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "config/config_fwd.hpp"
#include "config/place.hpp"

namespace triggerd {

enum ExitCode { kClean = 0, kRuntimeFailure = 1, kConfiguration = 2 };

// Prints to standard error, and returns the exit code.
int report(const std::vector<config::Diagnostic>& diagnostics);
int report(const Error& error);

// --check: loads and probes every plugin from a folder that is gone afterwards; no network, no
// state_dir. `file` is the configuration's name.
int check(const std::string& file, const config::Config& config);
// --probe: the same for one plugin. `is_private`: the file is a copy already, and needs no folder.
int probe(const std::string& file, bool is_private);

}  // namespace triggerd
