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

// Finds the packages in a folder. Each comes after those it requires, with the problems that can be
// found without reading its triggers.toml. A problem with one package is stored in that package; an
// error concerns all of them.
using PackageSource = std::function<tl::expected<std::vector<Package>, std::vector<Diagnostic>>(
    const std::filesystem::path& packages_dir, const std::filesystem::path& state_dir)>;

// The file in state_dir that holds what was defined at run time.
inline constexpr const char* kManagedFile = "managed.toml";

// Reads `file`, then every conf.d/*.toml beside it in name order, then STATE_DIR/managed.toml (or
// `managed`, its text, if given), then the triggers.toml of each package that `packages` finds.
// All errors in all files are reported at once, sorted by file and place; but errors in a package
// become its problems, and what it carries is left out. Paths in diagnostics are relative if `file`
// is, and absolute otherwise. Never throws.
tl::expected<Config, std::vector<Diagnostic>> load(const std::filesystem::path& file,
                                                   const Environment& environment,
                                                   const PackageSource& packages = {},
                                                   const std::optional<std::string>& managed = {});

}  // namespace triggerd::config
