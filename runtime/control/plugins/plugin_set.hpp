// The plugins that a configuration names, each loaded once.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "config/config.hpp"
#include "config/load.hpp"
#include "control/plugins/plugin_build.hpp"
#include "plugin/plugin.hpp"

namespace triggerd::control {

class PluginSet final : public PluginBuilds {
 public:
  // `stage_dir` receives the private copies; it is created if it is missing. A copy that finds no
  // room there goes to a temporary folder (TMPDIR, /tmp). `program` is this one, which runs itself:
  // as `PROGRAM --probe FILE` before it loads a plugin for the first time, so that what ends that
  // process, or leaves its loader locked, is no loss; and as `PROGRAM --worker` for triggers with
  // isolation = "process". Empty: it does neither.
  PluginSet(std::shared_ptr<const config::Config> config, std::filesystem::path stage_dir, Log& log,
            std::filesystem::path program);
  ~PluginSet() override;

  // `plugin` as a trigger of `package` means it (empty: of the configuration's own files), loaded
  // at the first call for it: two packages may each carry one of that name. Every trigger that
  // names the plugin gets the same error. [control]
  Result<std::shared_ptr<plugin::Generation>> load(const std::string& plugin,
                                                   const std::string& package);

  // `file` has what earlier starts have tried in processes of their own; what it has is not tried
  // again until keep_trials(), if it is `trusted`. Before the first load(). [control]
  void remember_trials(std::filesystem::path file, bool trusted);
  // Everything was loaded, made and started: writes the file for the next start. [control]
  void keep_trials();

  // Bounds the calls into everything that is loaded from now on. [control]
  void bound_calls(std::shared_ptr<const plugin::Patience> patience) {
    patience_ = std::move(patience);
  }
  // Where plugins are looked for from now on. [control]
  void use(std::shared_ptr<const config::Config> config) { config_ = std::move(config); }

  // PluginBuilds. load() gives what is in service.
  std::vector<std::string> names() const override;
  std::optional<PluginBuild> in_service(const std::string& name) const override;
  std::string why_not_loaded(const std::string& name) const override;
  Result<PluginBuild> load_next(const std::string& name, const std::filesystem::path& file,
                                const Verify& verify) override;
  void put_in_service(const std::string& name, const PluginBuild& build) override;
  void note_in_service(const std::string& name) const override;
  std::vector<std::string> drop_unused(
      const std::function<bool(const PluginBuild&)>& used) override;
  std::vector<plugin::Watcher::Plugin> watched() const override;
  unsigned leaked() const override { return *leaked_; }

 private:
  using VerifyCopy = std::function<Result<>(const plugin::StagedCopy&)>;
  struct Loaded {
    std::string plugin;   // as triggers say it
    std::string package;  // of the first trigger that did
    std::filesystem::path stage_dir;
    unsigned last_number = 0;
    Result<std::shared_ptr<plugin::Generation>> generation;
  };

  // Null where it is not loaded.
  const std::shared_ptr<plugin::Generation>* find(const std::string& name) const;
  Result<std::shared_ptr<plugin::Generation>> load_file(Loaded& loaded,
                                                        const std::filesystem::path& file,
                                                        const VerifyCopy& verify);
  Result<std::shared_ptr<plugin::Generation>> load_by(const Loaded& loaded,
                                                      const std::filesystem::path& file,
                                                      const std::filesystem::path& stage_dir,
                                                      const VerifyCopy& verify) const;
  Result<std::filesystem::path> make_temporary();
  bool in_process(const Loaded& loaded) const;
  // Loads a copy in a child process, unless an earlier start has; the digest of that trial.
  Result<std::string> try_to_load(const Loaded& loaded, const plugin::StagedCopy& copy) const;
  const config::Package* carrier_of(const std::filesystem::path& file) const;

  std::shared_ptr<const config::Config> config_;
  const std::filesystem::path stage_dir_;
  std::filesystem::path temporary_;  // for copies that have no room there; removed at the end
  Log& log_;
  const std::filesystem::path program_;
  std::shared_ptr<const plugin::Patience> patience_;
  std::shared_ptr<plugin::TrialRecord> trials_;  // null: everything is tried
  std::map<std::string, Loaded> loaded_;
  std::map<std::string, unsigned> last_numbers_;  // of plugins that were dropped
  const std::shared_ptr<std::atomic<unsigned>> leaked_ = std::make_shared<std::atomic<unsigned>>(0);
};

// What is wrong with `trigger`, at the place of its service.
config::Diagnostic plugin_diagnostic(const config::Trigger& trigger, const Error& error);
// The same, at the place of its monitor.
config::Diagnostic monitor_diagnostic(const config::Trigger& trigger, const Error& error);

// Whether the package of `trigger` is disabled, and the trigger with it.
bool is_of_disabled_package(const config::Config& config, const config::Trigger& trigger);

// For --probe: loads the plugin in `file`, or a copy of it unless the file is `is_private`, and
// unloads it again. Returns a line about what it has.
Result<std::string> probe_plugin(const std::filesystem::path& file, bool is_private, Log& log);

// For --check: loads every plugin, as a PluginSet with this `program` does, and makes and
// destroys an instance for every trigger.
std::vector<config::Diagnostic> probe_plugins(const config::Config& config,
                                              const std::filesystem::path& stage_dir, Log& log,
                                              const std::filesystem::path& program);

}  // namespace triggerd::control
