// Reads triggers.toml and its conf.d/*.toml into a Config.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "config/config.hpp"

namespace triggerd::config {

// One finding. `message` says what is wrong and, where it can, what to write instead.
struct Diagnostic {
  Place place;
  std::string message;
};
// "FILE:LINE:COLUMN: error: MESSAGE"; without a line where the whole file is meant.
std::string to_string(const Diagnostic& diagnostic);

// Looks up an environment variable; a seam for tests.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

// Reads `file`, then every conf.d/*.toml beside it in name order. All errors of all files are
// reported at once, in the order of files and places. Paths in diagnostics are as `file` was given.
// [main thread]; never throws.
tl::expected<Config, std::vector<Diagnostic>> load(const std::filesystem::path& file,
                                                   const Environment& environment);

}  // namespace triggerd::config
