// What a plugin's entry function returned: checked, and copied so that nobody else has to know that
// it may be older or newer than this runtime.
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
  // Each with struct_size = sizeof(trigger_service), and NULL for functions that the plugin's build
  // did not know. Their names point into the plugin.
  std::vector<trigger_service> services;
};

// In this order: NULL, struct_size, major, required functions, names. The error says what the
// plugin has and what is wanted, and continues a sentence that begins with the plugin's name.
Result<PluginTable> read_plugin_table(const trigger_plugin* plugin);

}  // namespace triggerd::plugin
