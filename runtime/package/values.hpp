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
// because it is relative to this file and not to the one in which the values will be kept. Errors
// are lines as for a configuration.
Result<config::LocalValues> read_values(const std::filesystem::path& file,
                                        const config::Environment& environment);

// "ALIAS.KEY=VALUE", added to `values`. The error does not quote the value.
Result<> add_value(std::string_view assignment, config::LocalValues& values);

// Puts `newer` on top of `values`.
void merge_values(const config::LocalValues& newer, config::LocalValues& values);

std::string values_text(const config::LocalValues& values);

}  // namespace triggerd::package
