#include "trigger/plugin_set.hpp"

#include <fmt/format.h>
#include <stdlib.h>

#include "plugin/staged_copy.hpp"
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

Result<std::shared_ptr<plugin::Generation>> PluginSet::load(const std::string& plugin) {
  const auto known = loaded_.find(plugin);
  if (known != loaded_.end()) return known->second;
  return loaded_.emplace(plugin, load_file(plugin, {}, {})).first->second;
}

Result<std::shared_ptr<plugin::Generation>> PluginSet::load_next(const std::string& plugin,
                                                                 const std::filesystem::path& file,
                                                                 Verify verify) {
  return load_file(plugin, file, std::move(verify));
}

void PluginSet::put_in_service(const std::shared_ptr<plugin::Generation>& generation) {
  loaded_.insert_or_assign(generation->name(), generation);
}

std::shared_ptr<plugin::Generation> PluginSet::in_service(const std::string& plugin) const {
  const auto known = loaded_.find(plugin);
  return known == loaded_.end() || !known->second ? nullptr : *known->second;
}

std::vector<std::string> PluginSet::names() const {
  std::vector<std::string> names;
  for (const auto& [name, generation] : loaded_) names.push_back(name);
  return names;
}

Result<std::shared_ptr<plugin::Generation>> PluginSet::load_file(const std::string& name,
                                                                 const std::filesystem::path& file,
                                                                 Verify verify) {
  auto found = file.empty() ? plugin::find_plugin(config_.runtime.plugin_dirs, name)
                            : Result<std::filesystem::path>(file);
  if (!found) return tl::make_unexpected(found.error());
  std::error_code error;
  std::filesystem::create_directories(stage_dir_, error);
  if (!error) std::filesystem::permissions(stage_dir_, std::filesystem::perms::owner_all, error);
  if (error) return fail("cannot make {}: {}", stage_dir_.string(), error.message());
  return plugin::Generation::load({.name = name,
                                   .file = *found,
                                   .stage_dir = stage_dir_,
                                   .number = ++last_number_[name],
                                   .verify = std::move(verify),
                                   .leaked = leaked_},
                                  log_);
}

Result<std::string> probe_plugin(const std::filesystem::path& file, Log& log) {
  std::error_code error;
  std::string stage = (std::filesystem::temp_directory_path(error) / "triggerd-probe-XXXXXX");
  if (error || ::mkdtemp(stage.data()) == nullptr) {
    return fail("cannot make a folder in {}; set TMPDIR to one that can be written", stage);
  }
  std::string name = file.stem().string();
  auto generation = plugin::Generation::load({.name = name, .file = file, .stage_dir = stage}, log);
  Result<std::string> said = generation.map([](const auto& loaded) {
    return fmt::format("version {}, services {}", loaded->version(),
                       fmt::join(loaded->service_names(), ", "));
  });
  generation = tl::make_unexpected(Error{});  // unloads it: its destructors count too
  std::filesystem::remove_all(stage, error);
  return said;
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
    auto generation = plugins.load(trigger.plugin);
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
    auto monitor = plugins.load(trigger.monitor_plugin);
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
