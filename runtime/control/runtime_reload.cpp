// Runtime: another configuration takes over, while everything that is the same in it runs on.
//
//   1. read     all files, and check them as at the start; anything wrong ends it here
//   2. compare  with what runs
//   3. make     what is new: plugins, instances of services, certificates; a failure ends it here
//   4. stop     what differs or is gone: drained, kept by inbox and server what is not finished
//   5. start    what is new
//
// Up to 3 nothing that runs has been touched. What fails in 4 and 5 - a service that does not
// start, a connection that cannot be made - takes that trigger out and no other, and is reported.
#include <algorithm>
#include <chrono>
#include <set>
#include <unordered_set>
#include <utility>

#include "base/file.hpp"
#include "base/units.hpp"
#include "control/alias_connection.hpp"
#include "control/runtime.hpp"

namespace triggerd::control {
namespace {

namespace fs = std::filesystem;

constexpr Millis kLookAtFiles{500};

auto inbox_failed(const Error& error) {
  return tl::make_unexpected(
      management::AdminError{management::AdminError::Kind::failed,
                             "what an administrator has disabled is not known: " + error.message,
                             {}});
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

struct Runtime::Plan {
  ConfigPtr config;
  config::Difference difference;
  mqtt::tls::Stores certificates;
  PackageFailures failures;
  AliasStates alias_states;
  std::vector<TriggerPtr> stop_triggers;
  std::vector<AliasPtr> stop_aliases;
  std::vector<std::string> start_aliases;
  std::vector<TriggerPtr> start_triggers;
  management::ReloadReport report;
};

// ---- 1. Reading ----

tl::expected<config::Config, Runtime::Diagnostics> Runtime::load_again(
    const std::optional<std::string>& managed) {
  if (!options_.load) {
    return tl::make_unexpected(
        Diagnostics{{{}, "this runtime was given its configuration, and no file to read again"}});
  }
  return options_.load(managed);
}

// How the state of an alias is called where those of triggers are kept: no trigger is called so.
std::string Runtime::state_key(std::string_view alias) {
  return fmt::format("alias/{}", alias);
}

// What an administrator has disabled is disabled, whatever the files say.
Result<Runtime::AliasStates> Runtime::overlay_states(config::Config& next) const {
  AliasStates states;
  for (config::Alias& alias : next.aliases) {
    auto state = inbox_->trigger_state(state_key(alias.name));
    if (!state) return tl::make_unexpected(state.error());
    if (!*state) continue;
    alias.enabled = false;
    states.emplace(alias.name, **std::move(state));
  }
  return states;
}

void Runtime::keep_what_needs_a_restart(config::Config& next) const {
  const ConfigPtr now = config();
  next.runtime.name = now->runtime.name;
  next.runtime.hot_reload = now->runtime.hot_reload;
  next.log = now->log;
  next.inbox = now->inbox;
  const bool manage = next.admin.manage;
  std::filesystem::path manage_files = std::move(next.admin.manage_files);
  next.admin = now->admin;
  next.admin.manage = manage;
  next.admin.manage_files = std::move(manage_files);
}

management::Outcome<management::ReloadReport> Runtime::refuse(const Diagnostics& diagnostics) {
  management::AdminError error{
      management::AdminError::Kind::invalid,
      fmt::format("the configuration has {} error{}, and what ran before goes on",
                  diagnostics.size(), diagnostics.size() == 1 ? "" : "s"),
      {}};
  for (const config::Diagnostic& found : diagnostics) {
    error.problems.push_back({.file = found.place.file,
                              .line = found.place.line,
                              .column = found.place.column,
                              .key = {},
                              .message = found.message});
  }
  return tl::make_unexpected(std::move(error));
}

// ---- 2, 3. Comparing, making ----

tl::expected<Runtime::Plan, Runtime::Diagnostics> Runtime::plan(config::Config next_config,
                                                                AliasStates states,
                                                                const std::string& must_run) {
  const ConfigPtr now = config();
  const auto next = std::make_shared<const config::Config>(std::move(next_config));
  Plan plan{.config = next,
            .difference = config::difference(*now, *next),
            .certificates = {},
            .failures = PackageFailures(next),
            .alias_states = std::move(states),
            .stop_triggers = {},
            .stop_aliases = {},
            .start_aliases = {},
            .start_triggers = {},
            .report = {}};
  const config::Changes& aliases = plan.difference.aliases;
  const config::Changes& triggers = plan.difference.triggers;
  auto certificates = mqtt::tls::Stores::load(*next);
  if (!certificates) return tl::make_unexpected(std::move(certificates.error()));
  plan.certificates = *std::move(certificates);
  for (const config::Alias& alias : next->aliases) {
    if (!contains(aliases.changed, alias.name)) plan.certificates.keep(certificates_, alias.name);
  }
  Diagnostics diagnostics;
  // One of which nothing runs costs itself alone, as at the start.
  const auto may_be_broken = [&](const std::string& name) {
    if (name == must_run) return false;
    const config::Package* before = now->find_package(name);
    return before == nullptr || !before->enabled || !before->problems.empty() ||
           package_failures_.contains(name);
  };
  for (const config::Package& package : next->packages) {
    if (!package.enabled || may_be_broken(package.name)) continue;
    diagnostics.insert(diagnostics.end(), package.problems.begin(), package.problems.end());
  }
  for (const auto& [package, problems] : plan.certificates.package_problems()) {
    if (may_be_broken(package)) {
      for (const config::Diagnostic& problem : problems) plan.failures.add(package, problem);
    } else {
      diagnostics.insert(diagnostics.end(), problems.begin(), problems.end());
    }
  }
  if (!diagnostics.empty()) return tl::make_unexpected(std::move(diagnostics));

  plugins_.use(next);
  const auto restarts_alias = [&](const std::string& name) {
    return contains(aliases.changed, name) || contains(aliases.removed, name);
  };
  std::unordered_set<std::string> kept;
  for (const TriggerPtr& trigger : triggers_) {
    const config::Trigger* wanted = next->find_trigger(trigger->name());
    if (wanted != nullptr && wants(*next, plan.failures, *wanted) &&
        !contains(triggers.changed, wanted->name) && !restarts_alias(wanted->alias)) {
      kept.insert(trigger->name());
    }
  }
  for (const config::Trigger& trigger : next->triggers) {
    if (kept.contains(trigger.name) || !wants(*next, plan.failures, trigger)) continue;
    auto made = make_trigger(trigger);
    if (made) {
      plan.start_triggers.push_back(*std::move(made));
    } else if (!trigger.package.empty() && may_be_broken(trigger.package)) {
      plan.failures.add(trigger.package, std::move(made.error().why));
    } else {
      diagnostics.push_back(std::move(made.error().why));
    }
  }
  plan.failures.spread();
  for (const config::Package& package : next->packages) {
    if (!package.enabled || may_be_broken(package.name)) continue;
    const Diagnostics& found = plan.failures.of(package.name);
    diagnostics.insert(diagnostics.end(), found.begin(), found.end());
  }
  if (!diagnostics.empty()) {
    plan.start_triggers.clear();
    plugins_.use(now);
    drop_unused_plugins();
    return tl::make_unexpected(std::move(diagnostics));
  }
  std::erase_if(plan.start_triggers, [&](const TriggerPtr& trigger) {
    return plan.failures.takes_out(trigger->name());
  });
  for (const TriggerPtr& trigger : triggers_) {
    if (!kept.contains(trigger->name()) || plan.failures.takes_out(trigger->name())) {
      plan.stop_triggers.push_back(trigger);
    }
  }
  std::set<std::string> kept_aliases;
  for (const AliasPtr& alias : aliases_) {
    const config::Alias* wanted = next->find_alias(alias->name());
    if (wanted == nullptr || !wants(plan.failures, *wanted) || restarts_alias(alias->name())) {
      plan.stop_aliases.push_back(alias);
    } else {
      kept_aliases.insert(alias->name());
    }
  }
  for (const config::Alias& alias : next->aliases) {
    if (wants(plan.failures, alias) && !kept_aliases.contains(alias.name)) {
      plan.start_aliases.push_back(alias.name);
    }
  }

  management::ReloadReport& report = plan.report;
  const auto name_all = [](const char* what, const std::vector<std::string>& names,
                           std::vector<std::string>& into) {
    for (const std::string& name : names) into.push_back(fmt::format("{} {}", what, name));
  };
  name_all("alias", aliases.added, report.added);
  name_all("trigger", triggers.added, report.added);
  name_all("alias", aliases.removed, report.removed);
  name_all("trigger", triggers.removed, report.removed);
  name_all("alias", aliases.changed, report.changed);
  name_all("trigger", triggers.changed, report.changed);
  for (const TriggerPtr& trigger : plan.start_triggers) {
    if (!contains(triggers.changed, trigger->name()) &&
        !contains(triggers.added, trigger->name())) {
      report.restarted.push_back("trigger " + trigger->name());
    }
  }
  report.unchanged = triggers_.size() - plan.stop_triggers.size() + kept_aliases.size();
  return plan;
}

// ---- 4, 5. Applying ----

management::ReloadReport Runtime::apply(Plan plan) {
  management::ReloadReport report = std::move(plan.report);
  for (const TriggerPtr& made : plan.start_triggers) {
    const config::Alias& alias = *plan.config->find_alias(made->config().alias);
    if (const auto id = client_ids_.find(alias.name); id != client_ids_.end()) {
      stop_ending(id->second + "." + made->name());
    }
  }
  const ConfigPtr before = config();
  stop_triggers(plan.stop_triggers);
  plan.stop_triggers.clear();
  stop_aliases(plan.stop_aliases);
  plan.stop_aliases.clear();
  const mqtt::tls::Stores had = std::exchange(certificates_, std::move(plan.certificates));
  {
    MutexLock lock(members_mutex_);
    config_ = plan.config;
    alias_states_ = std::move(plan.alias_states);
    package_failures_ = std::move(plan.failures);
    not_made_.clear();
    for (const config::Trigger& trigger : config_->triggers) {
      if (package_failures_.takes_out(trigger.name)) {
        not_made_[trigger.name] = "its package, or that of its alias, is broken";
      }
    }
  }
  reloader_.set_drain_timeout(plan.config->runtime.drain_timeout);

  const auto failed = [&](const std::string& what, const Error& error) {
    log_.error("runtime.reload", {}, "{} does not run: {}", what, error.message);
    report.failures.push_back(fmt::format("{}: {}", what, error.message));
  };
  for (const std::string& name : plan.start_aliases) {
    auto made = make_alias(*plan.config->find_alias(name));
    if (!made) {
      failed("alias " + name, made.error());
      continue;
    }
    take_in(*made);
    (*made)->connection()->open();
  }
  for (const TriggerPtr& trigger : plan.start_triggers) {
    Result<> made = fail("its alias does not run");
    if (running_alias(trigger->config().alias)) {
      made = trigger->make_connection(options_of(trigger->config()));
    }
    if (!made) {
      failed("trigger " + trigger->name(), made.error());
      MutexLock lock(members_mutex_);
      not_made_[trigger->name()] = made.error().message;
      continue;
    }
    take_in(trigger);
    {
      // After it is there for the writer to find: of what it says in between, the later one counts.
      MutexLock lock(trouble_mutex_);
      if (inbox_trouble_) trigger->inbox_trouble(inbox_trouble_);
    }
    if (auto started = trigger->start(); !started) {
      failed("trigger " + trigger->name(),
             {"its service did not start: " + started.error().message});
    }
  }
  plan.start_triggers.clear();

  end_unwanted_sessions(before.get(), had);
  drop_unused_plugins();
  warn_of_missing_plugins(report);
  if (watcher_) {
    watcher_.reset();
    if (auto watching = watch_plugins(); !watching) {
      report.warnings.push_back(watching.error().message);
    }
  }
  begin_rotation();
  note_plugins();
  supervisor_->post([this] { report_readiness(); });
  return report;
}

void Runtime::drop_unused_plugins() {
  const auto dropped = plugins_.drop_unused([this](const plugin::Generation& generation) {
    return std::any_of(triggers_.begin(), triggers_.end(),
                       [&](const TriggerPtr& trigger) { return trigger->uses(generation); });
  });
  for (const std::string& plugin : dropped) reloader_.forget(plugin);
}

// What serves goes on without its file, and the next start will not.
void Runtime::warn_of_missing_plugins(management::ReloadReport& report) const {
  for (const plugin::Watcher::Plugin& plugin : plugins_.watched()) {
    const auto found = plugin::find_plugin(plugin.dirs, plugin.plugin);
    if (found) continue;
    report.warnings.push_back(
        fmt::format("plugin \"{}\" goes on as it was loaded, but the next start needs its file: {}",
                    plugin.name, found.error().message));
  }
}

management::Outcome<management::ReloadReport> Runtime::reload_now(
    const std::optional<std::string>& managed, bool check_only,
    const std::function<Result<>()>& commit, const std::string& must_run) {
  const Monotonic began = std::chrono::steady_clock::now();
  auto next = load_again(managed);
  if (!next) return refuse(next.error());
  const ConfigPtr now = config();
  if (next->runtime.state_dir != now->runtime.state_dir && !now->runtime.state_dir.empty()) {
    return refuse({{next->runtime.state_dir_place,
                    "state_dir cannot change while the runtime runs: what it keeps would be "
                    "somewhere else; restart the runtime"}});
  }
  const auto needs_restart = config::difference(*now, *next).needs_restart;
  keep_what_needs_a_restart(*next);
  const auto base = std::make_shared<const config::Config>(*next);
  auto states = overlay_states(*next);
  if (!states) return inbox_failed(states.error());
  auto planned = plan(*std::move(next), *std::move(states), must_run);
  if (!planned) return refuse(planned.error());
  planned->report.needs_restart = needs_restart;
  if (check_only) {
    management::ReloadReport report = std::move(planned->report);
    planned->start_triggers.clear();
    plugins_.use(now);
    drop_unused_plugins();
    return report;
  }
  if (commit) {
    if (auto done = commit(); !done) {
      planned->start_triggers.clear();
      plugins_.use(now);
      drop_unused_plugins();
      return tl::make_unexpected(
          management::AdminError{management::AdminError::Kind::failed, done.error().message, {}});
    }
  }
  base_ = base;
  management::ReloadReport report = apply(*std::move(planned));
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  MutexLock lock(reload_mutex_);
  reloaded_ = system_clock().wall();
  reload_failure_.clear();
  needs_restart_ = report.needs_restart;
  return report;
}

// The same files, with aliases that an administrator has enabled or disabled since.
management::Outcome<management::ReloadReport> Runtime::apply_states() {
  config::Config next = *base_;
  auto states = overlay_states(next);
  if (!states) return inbox_failed(states.error());
  auto planned = plan(std::move(next), *std::move(states));
  if (!planned) return refuse(planned.error());
  return apply(*std::move(planned));
}

management::Outcome<management::ReloadReport> Runtime::reload(const management::Actor& by) {
  return on_control([&] { return reload_here(by); });
}

management::Outcome<management::ReloadReport> Runtime::reload_here(const management::Actor& by,
                                                                   const std::string& must_run) {
  log_.info("runtime.reload", {}, "reading the configuration again, for {}", by);
  files_taken_ = look_of_files();
  auto done = reload_now(std::nullopt, false, {}, must_run);
  if (!done) {
    for (const management::AdminProblem& problem : done.error().problems) {
      log_.error("runtime.reload_refused", {}, "{}",
                 config::to_string(config::Diagnostic{{problem.file, problem.line, problem.column},
                                                      problem.message}));
    }
    log_.error("runtime.reload_refused", {}, "{}", done.error().message);
    MutexLock lock(reload_mutex_);
    reload_failure_ = done.error().problems.empty()
                          ? done.error().message
                          : done.error().message + ": " + done.error().problems[0].message;
    return done;
  }
  for (const std::string& warning : done->warnings) log_.warn("runtime.reload", {}, "{}", warning);
  package_failures_.report_broken(log_);
  for (const config::Package& package : config()->packages) {
    if (!package.enabled) continue;
    for (const std::string& problem : package_failures_.problems_of(package)) {
      done->warnings.push_back(fmt::format("package \"{}\" is broken: {}", package.name, problem));
    }
  }
  for (const std::string& key : done->needs_restart) {
    log_.warn("runtime.reload", {}, "{} has changed: it needs a restart, and stays as it was", key);
  }
  log_.info("runtime.reloaded", {}, "{} added, {} removed, {} changed, {} unchanged, in {} ms",
            done->added.size(), done->removed.size(), done->changed.size(), done->unchanged,
            static_cast<std::int64_t>(done->seconds * 1000));
  return done;
}

void Runtime::request_reload(const std::string& by, std::function<void()> done) {
  MutexLock lock(control_mutex_);
  if (!control_runs_) return;
  control_.post([this, by, done = std::move(done)] {
    if (stopping_) return;
    (void)reload_here(by);
    if (done && !stopping_) done();
  });
}

// ---- With hot_reload, the files are watched ----

std::string Runtime::look_of_files() const {
  if (options_.config_file.empty()) return {};
  std::string looks;
  const auto add_look = [&looks](const fs::path& file) {
    looks += fmt::format("{} {}\n", file.string(), look_of_file(file));
  };
  add_look(options_.config_file);
  const auto add_folder = [&add_look](const fs::path& folder, bool packages) {
    std::error_code error;
    std::vector<fs::path> found;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      if (packages) {
        for (const char* name : {"package.toml", "triggers.toml", "local.toml"}) {
          found.push_back(entry->path() / name);
        }
      } else if (entry->path().extension() == ".toml") {
        found.push_back(entry->path());
      }
    }
    std::sort(found.begin(), found.end());
    for (const fs::path& file : found) add_look(file);
  };
  add_folder(options_.config_file.parent_path() / "conf.d", false);
  add_folder(config()->runtime.packages_dir, true);
  return looks;
}

// A file that is being written is seen twice the same before it is taken.
void Runtime::watch_files() {
  control_.after(kLookAtFiles, [this] {
    if (stopping_) return;
    std::string look = look_of_files();
    const bool settled = look == files_seen_;
    files_seen_ = std::move(look);
    if (settled && files_seen_ != files_taken_) (void)reload_here("a changed file");
    watch_files();
  });
}

}  // namespace triggerd::control
