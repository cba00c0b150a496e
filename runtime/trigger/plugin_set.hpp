// The plugins that a configuration names, each loaded once.
#pragma once

#include <atomic>
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

  // `plugin`, loaded at the first call for it. The error is told once and again for every trigger
  // that names the plugin. [control]
  Result<std::shared_ptr<plugin::Generation>> load(const std::string& plugin);
  // Another generation of `plugin`, from `file` or, where that is empty, from where it was found;
  // load() still gives the one before, until put_in_service(). [control]
  using Verify = std::function<Result<>(const plugin::StagedCopy&)>;
  Result<std::shared_ptr<plugin::Generation>> load_next(const std::string& plugin,
                                                        const std::filesystem::path& file,
                                                        Verify verify);
  void put_in_service(const std::shared_ptr<plugin::Generation>& generation);
  // The generation in service; null where `plugin` is not loaded. [control]
  std::shared_ptr<plugin::Generation> in_service(const std::string& plugin) const;
  std::vector<std::string> names() const;

  const std::filesystem::path& stage_dir() const { return stage_dir_; }
  // Generations that stay in memory for ever. [any]
  unsigned leaked() const { return *leaked_; }

 private:
  Result<std::shared_ptr<plugin::Generation>> load_file(const std::string& name,
                                                        const std::filesystem::path& file,
                                                        Verify verify);

  const config::Config& config_;
  const std::filesystem::path stage_dir_;
  Log& log_;
  std::map<std::string, Result<std::shared_ptr<plugin::Generation>>> loaded_;
  std::map<std::string, unsigned> last_number_;
  const std::shared_ptr<std::atomic<unsigned>> leaked_ = std::make_shared<std::atomic<unsigned>>(0);
};

// What is wrong with `trigger`, at the place of its service.
config::Diagnostic plugin_diagnostic(const config::Trigger& trigger, const Error& error);
// The same, at the place of its monitor.
config::Diagnostic monitor_diagnostic(const config::Trigger& trigger, const Error& error);

// For --probe: loads the plugin in `file` and unloads it again. Says what it has.
Result<std::string> probe_plugin(const std::filesystem::path& file, Log& log);

// For --check: loads every plugin, and makes and destroys an instance for every trigger.
std::vector<config::Diagnostic> probe_plugins(const config::Config& config,
                                              const std::filesystem::path& stage_dir, Log& log);

}  // namespace triggerd::trigger
