// What happens in the child: a plugin is loaded, an instance lives from create to destroy, and its
// service is called.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "config/trigger.hpp"
#include "offline/child.hpp"
#include "offline/offline_host.hpp"

namespace triggerctl {

struct OfflineRun {
  std::filesystem::path file;
  std::string service;  // empty: the only one
  triggerd::config::Settings settings;
  OfflineMessage message;
  std::uint32_t times = 1;
  Millis timeout{10'000};
  std::filesystem::path stage_dir;
};

// Reports everything as events: "plugin", "log", "publish", "verdict", "metric", and "failed",
// after which it ends early. Returns an ExitCode.
int run_offline(const OfflineRun& run, Events& events);

// Loads and unloads it; reports "plugin" or "failed".
int probe_offline(const std::filesystem::path& file, const std::filesystem::path& stage_dir,
                  Events& events);

}  // namespace triggerctl
