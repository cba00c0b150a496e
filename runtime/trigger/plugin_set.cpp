#include "trigger/plugin_set.hpp"

#include <fmt/core.h>

#include "plugin/work.hpp"
#include "trigger/monitor.hpp"

namespace triggerd::trigger {
namespace {

// create() may call no host function that gets here; a service that does so all the same is told.
class NoHost final : public plugin::InstanceHost {
 public:
  std::int32_t complete(std::uint64_t, plugin::Answer) override { return TRIGGER_E_STATE; }
  std::int32_t extend(std::uint64_t, std::uint32_t) override { return TRIGGER_E_STATE; }
  std::int32_t publish(const trigger_publish&, plugin::PublishDone) override {
    return TRIGGER_E_STATE;
  }
};

}  // namespace

PluginSet::PluginSet(const config::Config& config, std::filesystem::path stage_dir, Log& log)
    : config_(config), stage_dir_(std::move(stage_dir)), log_(log) {}

Result<std::shared_ptr<plugin::Generation>> PluginSet::load(const std::string& plugin,
                                                            const std::string& package) {
  auto file = plugin::find_plugin(config_.plugin_dirs_for(package), plugin);
  if (!file) return tl::make_unexpected(file.error());
  const auto known = loaded_.find(*file);
  if (known != loaded_.end()) return known->second;
  return loaded_.emplace(*file, load_file(plugin, *file)).first->second;
}

Result<std::shared_ptr<plugin::Generation>> PluginSet::load_file(
    const std::string& name, const std::filesystem::path& file) {
  const std::filesystem::path stage_dir = stage_dir_for(file);
  std::error_code error;
  std::filesystem::create_directories(stage_dir, error);
  if (!error) std::filesystem::permissions(stage_dir, std::filesystem::perms::owner_all, error);
  if (error) return fail("cannot make {}: {}", stage_dir.string(), error.message());
  return plugin::Generation::load({.name = name, .file = file, .stage_dir = stage_dir}, log_);
}

// A copy has its plugin's name, so each package has a folder of its own for them.
std::filesystem::path PluginSet::stage_dir_for(const std::filesystem::path& file) const {
  for (const config::Package& package : config_.packages) {
    if (file.parent_path() == package.folder / "plugins") return stage_dir_ / package.name;
  }
  return stage_dir_;
}

bool is_of_disabled_package(const config::Config& config, const config::Trigger& trigger) {
  const config::Package* package = config.find_package(trigger.package);
  return package != nullptr && !package->enabled;
}

config::Diagnostic plugin_diagnostic(const config::Trigger& trigger, const Error& error) {
  return {trigger.service_place, fmt::format("trigger \"{}\": {}", trigger.name, error.message)};
}

config::Diagnostic monitor_diagnostic(const config::Trigger& trigger, const Error& error) {
  return {trigger.monitor_place, fmt::format("trigger \"{}\": {}", trigger.name, error.message)};
}

std::vector<config::Diagnostic> probe_plugins(const config::Config& config,
                                              const std::filesystem::path& stage_dir, Log& log) {
  std::vector<config::Diagnostic> found;
  PluginSet plugins(config, stage_dir, log);
  for (const config::Trigger& trigger : config.triggers) {
    if (is_of_disabled_package(config, trigger)) continue;
    auto generation = plugins.load(trigger.plugin, trigger.package);
    if (!generation) {
      found.push_back(plugin_diagnostic(trigger, generation.error()));
      continue;
    }
    NoHost host;
    if (auto instance = (*generation)->create(trigger, host); !instance) {
      found.push_back(plugin_diagnostic(trigger, instance.error()));
      continue;
    }
    if (trigger.monitor_plugin.empty()) continue;
    auto monitor = plugins.load(trigger.monitor_plugin, trigger.package);
    Result<> made;
    if (!monitor) {
      made = tl::make_unexpected(monitor.error());
    } else if (auto asked = Monitor::make(*monitor, trigger, [](const Result<>&) {}); !asked) {
      made = tl::make_unexpected(asked.error());
    }
    if (!made) found.push_back(monitor_diagnostic(trigger, made.error()));
  }
  return found;
}

}  // namespace triggerd::trigger
