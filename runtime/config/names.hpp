// What aliases, triggers, truststores, keystores, plugins and services may be called.
#pragma once

#include <cstddef>
#include <string_view>

namespace triggerd::config {

inline constexpr std::size_t kMaxName = 128;

// [A-Za-z0-9][A-Za-z0-9_.-]{0,127}: an alias, a trigger, a truststore or a keystore. Names of
// aliases and triggers become parts of client ids, metric labels and file names.
bool is_name(std::string_view text);

// [A-Za-z0-9][A-Za-z0-9_-]{0,127}: a plugin or a service. A plugin's name becomes a file name in
// plugin_dirs, and must not lead out of them.
bool is_plugin_name(std::string_view text);

}  // namespace triggerd::config
