// Reads triggers.toml, its conf.d/*.toml, the managed file and the packages into a Config.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "config/config.hpp"
#include "config/expand.hpp"

namespace triggerd::config {

// Finds the packages in a folder: each after those it requires, with the problems that can be found
// without their triggers.toml. A problem of one package is stored in that package; an error
// concerns all of them.
using PackageSource = std::function<tl::expected<std::vector<Package>, std::vector<Diagnostic>>(
    const std::filesystem::path& packages_dir, const std::filesystem::path& state_dir)>;

// The file in state_dir that holds what was defined at run time.
inline constexpr const char* kManagedFile = "managed.toml";

// Reads `file`, then every conf.d/*.toml beside it in name order, then STATE_DIR/managed.toml (or
// what `managed` says instead of it), then the triggers.toml of each package that `packages` finds.
// All errors of all files are reported at once, in the order of files and places; but errors in a
// package become its problems, and the package is left out. Paths in diagnostics are relative or
// absolute as `file` is. Never throws.
tl::expected<Config, std::vector<Diagnostic>> load(const std::filesystem::path& file,
                                                   const Environment& environment,
                                                   const PackageSource& packages = {},
                                                   const std::optional<std::string>& managed = {});

}  // namespace triggerd::config
