// The plugins that a configuration names, each loaded once.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "config/config.hpp"
#include "config/load.hpp"
#include "plugin/plugin.hpp"

namespace triggerd::trigger {

class PluginSet {
 public:
  // `stage_dir` receives the private copies; it is made where it is missing.
  PluginSet(const config::Config& config, std::filesystem::path stage_dir, Log& log);

  // `plugin` as a trigger of `package` means it (empty: of the configuration's own files), loaded
  // at the first call for it: two packages may each carry one of that name. The error is told once
  // and again for every trigger that names the plugin. [control]
  Result<std::shared_ptr<plugin::Generation>> load(const std::string& plugin,
                                                   const std::string& package);

 private:
  Result<std::shared_ptr<plugin::Generation>> load_file(const std::string& name,
                                                        const std::filesystem::path& file);
  std::filesystem::path stage_dir_for(const std::filesystem::path& file) const;

  const config::Config& config_;
  const std::filesystem::path stage_dir_;
  Log& log_;
  std::map<std::filesystem::path, Result<std::shared_ptr<plugin::Generation>>> loaded_;  // by file
};

// What is wrong with `trigger`, at the place of its service.
config::Diagnostic plugin_diagnostic(const config::Trigger& trigger, const Error& error);
// The same, at the place of its monitor.
config::Diagnostic monitor_diagnostic(const config::Trigger& trigger, const Error& error);

// Whether `trigger` could run at all: false where it is disabled with its package.
bool is_of_disabled_package(const config::Config& config, const config::Trigger& trigger);

// For --check: loads every plugin, and makes and destroys an instance for every trigger.
std::vector<config::Diagnostic> probe_plugins(const config::Config& config,
                                              const std::filesystem::path& stage_dir, Log& log);

}  // namespace triggerd::trigger
