#include "control/plugins/plugin_set.hpp"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>

#include "base/passing.hpp"
#include "plugin/loader/child_probe.hpp"
#include "plugin/loader/staged_copy.hpp"
#include "plugin/loader/trial_record.hpp"
#include "plugin/work.hpp"
#include "trigger/monitor.hpp"

namespace triggerd::control {
namespace {

// A first load is once a plugin, and a slow start is better than none.
constexpr Millis kProbeTimeout{15'000};

// create() may call no host function that gets here; a service that does so all the same is told.
class NoHost final : public plugin::InstanceHost {
 public:
  std::int32_t complete(std::uint64_t, plugin::Answer) override { return TRIGGER_E_STATE; }
  std::int32_t extend(std::uint64_t, std::uint32_t) override { return TRIGGER_E_STATE; }
  std::int32_t publish(const trigger_publish&, plugin::PublishDone) override {
    return TRIGGER_E_STATE;
  }
};

PluginBuild build_of(const std::shared_ptr<plugin::Generation>& generation) {
  return {.number = generation->number(),
          .version = std::string(generation->version()),
          .sha256 = generation->sha256(),
          .file = generation->file(),
          .copy = generation->copy(),
          .services = generation->service_names(),
          .generation = generation};
}

}  // namespace

PluginSet::PluginSet(std::shared_ptr<const config::Config> config, std::filesystem::path stage_dir,
                     Log& log, std::filesystem::path program)
    : config_(std::move(config)),
      stage_dir_(std::move(stage_dir)),
      log_(log),
      program_(std::move(program)) {}

// Whether its file is still there says nothing: what serves goes on without it.
std::vector<std::string> PluginSet::drop_unused(
    const std::function<bool(const PluginBuild&)>& used) {
  std::vector<std::string> dropped;
  for (auto it = loaded_.begin(); it != loaded_.end();) {
    if (it->second.generation && used(build_of(*it->second.generation))) {
      ++it;
      continue;
    }
    dropped.push_back(it->first);
    last_numbers_[it->first] = it->second.last_number;
    it = loaded_.erase(it);
  }
  return dropped;
}

Result<std::shared_ptr<plugin::Generation>> PluginSet::load(const std::string& plugin,
                                                            const std::string& package) {
  auto file = plugin::find_plugin(config_->plugin_dirs_for(package), plugin);
  if (!file) return tl::make_unexpected(file.error());
  const config::Package* const carrier = carrier_of(*file);
  // A copy has its plugin's name, so each package has a folder of its own for them.
  auto [at, is_new] = loaded_.try_emplace(
      carrier == nullptr ? plugin : carrier->name + "/" + plugin,
      Loaded{.plugin = plugin,
             .package = package,
             .stage_dir = carrier == nullptr ? stage_dir_ : stage_dir_ / carrier->name,
             .last_number = 0,
             .generation = {}});
  if (is_new) {
    at->second.last_number = last_numbers_[at->first];
    std::string trial;
    at->second.generation = load_file(
        at->second, *file, [this, &trial, &loaded = at->second](const plugin::StagedCopy& copy) {
          return try_to_load(loaded, copy).map([&](std::string tried) {
            trial = std::move(tried);
          });
        });
    if (at->second.generation && trials_) trials_->add(trial);
  }
  return at->second.generation;
}

Result<std::string> PluginSet::try_to_load(const Loaded& loaded,
                                           const plugin::StagedCopy& copy) const {
  if (program_.empty()) return {};
  std::string trial = trials_ ? trials_->library(copy.sha256(), in_process(loaded)) : std::string();
  if (trials_ && trials_->knows(trial)) return trial;
  log_.debug("plugin.trial", {{"plugin", loaded.plugin}},
             "loading it in a process of its own first");
  return plugin::probe_in_child(program_, copy.path(), kProbeTimeout).map([&] { return trial; });
}

void PluginSet::remember_trials(std::filesystem::path file, bool trusted) {
  trials_ = std::make_shared<plugin::TrialRecord>(std::move(file), trusted);
}

void PluginSet::keep_trials() {
  if (!trials_) return;
  plugin::TrialRecord::Plugins plugins;
  for (const auto& [name, loaded] : loaded_) {
    if (!loaded.generation) continue;
    const plugin::Generation& generation = **loaded.generation;
    plugins.copies.push_back(generation.copy());
    for (std::filesystem::path& folder : generation.search_folders()) {
      plugins.folders.push_back(std::move(folder));
    }
  }
  if (auto kept = trials_->keep(plugins); !kept) {
    log_.debug(
        "plugin.trial", {},
        "cannot record which plugins were tried, so the next start tries all of them again: {}",
        kept.error().message);
  }
}

// Whether a trigger that is not isolated names it. One of that name in another package counts too:
// then it is loaded for nothing, and no more.
bool PluginSet::in_process(const Loaded& loaded) const {
  return std::any_of(
      config_->triggers.begin(), config_->triggers.end(), [&](const config::Trigger& trigger) {
        return trigger.isolation == config::Isolation::none &&
               (trigger.plugin == loaded.plugin || trigger.monitor_plugin == loaded.plugin);
      });
}

const config::Package* PluginSet::carrier_of(const std::filesystem::path& file) const {
  for (const config::Package& package : config_->packages) {
    if (file.parent_path() == package.folder / "plugins") return &package;
  }
  return nullptr;
}

Result<std::shared_ptr<plugin::Generation>> PluginSet::load_file(Loaded& loaded,
                                                                 const std::filesystem::path& file,
                                                                 const VerifyCopy& verify) {
  ++loaded.last_number;
  auto generation = load_by(loaded, file, loaded.stage_dir, verify);
  if (generation || !may_pass(generation.error().code)) return generation;
  // A full volume must not keep the runtime from starting: what fills it may be its own inbox.
  const auto temporary = make_temporary();
  if (!temporary) return generation;
  auto elsewhere = load_by(loaded, file, *temporary / loaded.stage_dir.filename(), verify);
  if (!elsewhere) return generation;
  log_.warn("plugin.copied_elsewhere", {{"plugin", loaded.plugin}}, "{}; its copy is in {} instead",
            generation.error().message, temporary->string());
  return elsewhere;
}

Result<std::shared_ptr<plugin::Generation>> PluginSet::load_by(
    const Loaded& loaded, const std::filesystem::path& file, const std::filesystem::path& stage_dir,
    const VerifyCopy& verify) const {
  std::error_code error;
  std::filesystem::create_directories(stage_dir, error);
  if (!error) {
    std::filesystem::permissions(stage_dir, std::filesystem::perms::owner_all, error);
  }
  if (error) return fail_with(error.value(), "cannot create {}", stage_dir.string());
  return plugin::Generation::load({.name = loaded.plugin,
                                   .file = file,
                                   .stage_dir = stage_dir,
                                   .number = loaded.last_number,
                                   .patience = patience_,
                                   .verify = verify,
                                   .worker_program = program_,
                                   .in_process = in_process(loaded),
                                   .trials = trials_,
                                   .leaked = leaked_},
                                  log_);
}

Result<std::filesystem::path> PluginSet::make_temporary() {
  if (!temporary_.empty()) return temporary_;
  std::error_code error;
  std::string name =
      (std::filesystem::temp_directory_path(error) / "triggerd-plugins-XXXXXX").string();
  if (error || ::mkdtemp(name.data()) == nullptr) return fail("cannot create a temporary folder");
  return temporary_ = name;
}

PluginSet::~PluginSet() {
  if (temporary_.empty()) return;
  loaded_.clear();
  std::error_code ignored;
  std::filesystem::remove_all(temporary_, ignored);
}

// ---- What is loaded ----

Result<PluginBuild> PluginSet::load_next(const std::string& name, const std::filesystem::path& file,
                                         const Verify& verify) {
  Loaded& loaded = loaded_.at(name);
  Result<std::filesystem::path> found = file;
  if (file.empty()) {
    found = plugin::find_plugin(config_->plugin_dirs_for(loaded.package), loaded.plugin);
  }
  if (!found) return tl::make_unexpected(found.error());
  return load_file(loaded, *found,
                   [&verify](const plugin::StagedCopy& copy) {
                     return verify(copy.path(), copy.sha256());
                   })
      .map(build_of);
}

void PluginSet::put_in_service(const std::string& name, const PluginBuild& build) {
  loaded_.at(name).generation = build.generation;
}

const std::shared_ptr<plugin::Generation>* PluginSet::find(const std::string& name) const {
  const auto known = loaded_.find(name);
  if (known == loaded_.end() || !known->second.generation) return nullptr;
  return &*known->second.generation;
}

std::optional<PluginBuild> PluginSet::in_service(const std::string& name) const {
  const auto* generation = find(name);
  if (generation == nullptr) return std::nullopt;
  return build_of(*generation);
}

void PluginSet::note_in_service(const std::string& name) const {
  if (const auto* generation = find(name)) (*generation)->is_in_service();
}

std::vector<std::string> PluginSet::names() const {
  std::vector<std::string> names;
  for (const auto& [name, loaded] : loaded_) names.push_back(name);
  return names;
}

std::string PluginSet::why_not_loaded(const std::string& name) const {
  const std::vector<std::string> all = names();
  return fmt::format(
      "plugin \"{}\" is not loaded; {}", name,
      all.empty() ? "no plugin is" : fmt::format("loaded: {}", fmt::join(all, ", ")));
}

std::vector<plugin::Watcher::Plugin> PluginSet::watched() const {
  std::vector<plugin::Watcher::Plugin> watched;
  for (const auto& [name, loaded] : loaded_) {
    watched.push_back(
        {.name = name, .plugin = loaded.plugin, .dirs = config_->plugin_dirs_for(loaded.package)});
  }
  return watched;
}

Result<std::string> probe_plugin(const std::filesystem::path& file, bool is_private, Log& log) {
  std::error_code error;
  std::string stage;
  if (!is_private) {
    stage = std::filesystem::temp_directory_path(error) / "triggerd-probe-XXXXXX";
    if (error || ::mkdtemp(stage.data()) == nullptr) {
      return fail("cannot create a folder in {}; set TMPDIR to a writable one", stage);
    }
  }
  std::string name = file.stem().string();
  auto generation = plugin::Generation::load(
      {.name = name, .file = file, .stage_dir = stage, .is_private = is_private}, log);
  Result<std::string> said = generation.map([](const auto& loaded) {
    return fmt::format("version {}, services {}", loaded->version(),
                       fmt::join(loaded->service_names(), ", "));
  });
  generation = tl::make_unexpected(Error{});  // unloads it: its destructors count too
  if (!stage.empty()) std::filesystem::remove_all(stage, error);
  return said;
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
                                              const std::filesystem::path& stage_dir, Log& log,
                                              const std::filesystem::path& program) {
  std::vector<config::Diagnostic> found;
  PluginSet plugins(std::make_shared<const config::Config>(config), stage_dir, log, program);
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
    } else if (auto asked = trigger::Monitor::make(
                   trigger::instances_of(*monitor), trigger, [](const Result<>&) {},
                   system_clock());
               !asked) {
      made = tl::make_unexpected(asked.error());
    }
    if (!made) found.push_back(monitor_diagnostic(trigger, made.error()));
  }
  return found;
}

}  // namespace triggerd::control
