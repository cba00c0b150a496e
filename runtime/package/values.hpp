// Writing local.toml: see config/local_values.hpp for its content, and for how it is read.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "config/expand.hpp"
#include "config/local_values.hpp"

namespace triggerd::package {

// A file with the same content as local.toml. A relative path of a password file is made absolute,
// because it is relative to `file` and not to the local.toml that will hold the values. Errors are
// returned one per line, as those in a configuration are.
Result<config::LocalValues> read_values(const std::filesystem::path& file,
                                        const config::Environment& environment);

// Adds "ALIAS.KEY=VALUE" to `values`. The error does not quote the value.
Result<> add_value(std::string_view assignment, config::LocalValues& values);

// Adds `newer` to `values`; where both set a key, `newer` wins (see config::excluded_by()).
void merge_values(const config::LocalValues& newer, config::LocalValues& values);

std::string values_text(const config::LocalValues& values);

}  // namespace triggerd::package
