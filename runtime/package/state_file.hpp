// STATE_DIR/packages.toml: which packages are disabled. All others are enabled.
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "base/result.hpp"

namespace triggerd::package {

inline constexpr const char* kStateFile = "packages.toml";

// Empty if there is no such file. The error does not name the file: the caller has to.
Result<std::set<std::string>> read_disabled(const std::filesystem::path& state_dir);
// Atomic, and on disk when it returns. Creates `state_dir` if it is missing.
Result<> write_disabled(const std::filesystem::path& state_dir,
                        const std::set<std::string>& disabled);

}  // namespace triggerd::package
