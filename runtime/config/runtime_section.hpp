// The sections [runtime], [inbox] and [log].
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log_level.hpp"
#include "config/place.hpp"

namespace triggerd::config {

struct RuntimeSection {
  std::string name;  // default: the host name
  std::filesystem::path state_dir = "var";
  Place state_dir_place;
  std::vector<std::filesystem::path> plugin_dirs;
  std::filesystem::path packages_dir = "packages";
  Millis drain_timeout{10'000};
  bool hot_reload = false;  // watch plugin_dirs, and reload plugins that are rebuilt there
};

struct InboxSection {
  bool sync_to_disk = true;  // sync = "disk"; false: "process", left to the system's cache
  std::uint64_t max_size = 1ULL << 30;
};

struct LogSection {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
  std::map<std::string, LogLevel> plugins;  // by plugin, for its services; default: `level`
};

}  // namespace triggerd::config
