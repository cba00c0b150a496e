// Checks and copies what a plugin's entry function returned, so that nobody else has to know that
// the plugin may be older or newer than this runtime.
#pragma once

#include <trigger/plugin.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace triggerd::plugin {

struct PluginTable {
  std::string name;
  std::string version;
  std::uint32_t abi_minor = 0;
  // Each has struct_size = sizeof(trigger_service), and NULL for functions that the plugin was
  // built without. The names point into the plugin.
  std::vector<trigger_service> services;
};

// Checks, in this order: NULL, struct_size, major version, required functions, names. The error
// says what the plugin has and what is required, and continues a sentence that begins with the
// plugin's name.
Result<PluginTable> read_plugin_table(const trigger_plugin* plugin);

}  // namespace triggerd::plugin
