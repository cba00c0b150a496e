// What aliases, triggers, plugins and services may be called.
#pragma once

#include <cstddef>
#include <string_view>

namespace triggerd::config {

inline constexpr std::size_t kMaxName = 128;

// [A-Za-z0-9][A-Za-z0-9_.-]{0,127}: an alias or a trigger. They become client ids, labels of
// metrics and parts of file names.
bool is_name(std::string_view text);

// [A-Za-z0-9][A-Za-z0-9_-]{0,127}: a plugin or a service. A plugin's name is a file's name in
// plugin_dirs, so it must not be able to leave them.
bool is_plugin_name(std::string_view text);

}  // namespace triggerd::config
