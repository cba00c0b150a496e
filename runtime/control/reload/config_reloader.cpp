#include "control/reload/config_reloader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "control/members/unwanted_keys.hpp"
#include "control/reload/alias_states.hpp"
#include "control/running/admin_errors.hpp"
#include "plugin/loader/watcher.hpp"

namespace triggerd::control {
namespace {

auto inbox_failed(const Error& error) {
  return failed({"cannot read which aliases are disabled: " + error.message});
}

}  // namespace

ConfigReloader::ConfigReloader(const Needs& needs, ConfigPtr base, LoadConfig load,
                               std::filesystem::path config_file)
    : needs_(needs),
      base_(std::move(base)),
      load_(std::move(load)),
      watcher_(
          needs.control,
          [this, file = std::move(config_file)] {
            const ConfigPtr now = needs_.registry.config();
            std::vector<std::filesystem::path> schemas;
            for (const config::Trigger& trigger : now->triggers) {
              if (!trigger.schema_file.empty()) schemas.push_back(trigger.schema_file);
            }
            return fingerprint(file, now->runtime.packages_dir, schemas);
          },
          [this] { (void)reload("a changed file"); }) {}

// ---- Reading ----

tl::expected<config::Config, Diagnostics> ConfigReloader::load(
    const std::optional<std::string>& managed) const {
  if (!load_) {
    return tl::make_unexpected(Diagnostics{
        {{}, "this runtime was started without a configuration file, so there is none to reload"}});
  }
  return load_(managed);
}

void ConfigReloader::keep_what_needs_a_restart(config::Config& next) const {
  const ConfigPtr now = needs_.registry.config();
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

// ---- Planning ----

tl::expected<ReloadPlan, Diagnostics> ConfigReloader::plan(config::Config next_config,
                                                           AliasStates states,
                                                           const std::string& must_run) {
  const auto next = std::make_shared<const config::Config>(std::move(next_config));
  auto certificates = mqtt::tls::Stores::load(*next);
  if (!certificates) return tl::make_unexpected(std::move(certificates.error()));
  const config::Difference difference = config::difference(*needs_.registry.config(), *next);
  const std::vector<std::string>& changed = difference.aliases.changed;
  for (const config::Alias& alias : next->aliases) {
    if (std::find(changed.begin(), changed.end(), alias.name) == changed.end()) {
      certificates->keep(needs_.certificates.stores(), alias.name);
    }
  }
  return ReloadPlan::make({.registry = needs_.registry,
                           .plugins = needs_.plugins,
                           .reloader = needs_.plugin_reloader,
                           .factory = needs_.factory},
                          next, std::move(states), *std::move(certificates), must_run);
}

management::Outcome<management::ReloadReport> ConfigReloader::reload_files(
    const std::optional<std::string>& managed, bool check_only, const Apply& write,
    const std::string& must_run) {
  const Monotonic began = needs_.control.clock().now();
  auto next = load(managed);
  if (!next) return refused(next.error());
  const ConfigPtr now = needs_.registry.config();
  if (next->runtime.state_dir != now->runtime.state_dir && !now->runtime.state_dir.empty()) {
    return refused(
        {{next->runtime.state_dir_place,
          "state_dir cannot change while the runtime is running, because the inbox is in "
          "the old one; restart the runtime"}});
  }
  const auto needs_restart = config::difference(*now, *next).needs_restart;
  keep_what_needs_a_restart(*next);
  const auto base = std::make_shared<const config::Config>(*next);
  auto states = overlay_alias_states(needs_.stored_states, *next);
  if (!states) return inbox_failed(states.error());
  auto planned = plan(*std::move(next), *std::move(states), must_run);
  if (!planned) return refused(planned.error());
  planned->report.needs_restart = needs_restart;
  if (check_only) return std::move(planned->report);
  if (write) {
    if (auto done = write(); !done) return failed(done.error());
  }
  base_ = base;
  management::ReloadReport report = apply(*std::move(planned));
  report.seconds = std::chrono::duration<double>(needs_.control.clock().now() - began).count();
  const MutexLock lock(mutex_);
  record_ = {
      .applied = needs_.control.clock().wall(), .failure = {}, .needs_restart = needs_restart};
  return report;
}

management::Outcome<management::ReloadReport> ConfigReloader::reload_with(
    const std::string& managed, const std::function<Result<>()>& write) {
  return reload_files(managed, false, write, {});
}

management::Outcome<management::ReloadReport> ConfigReloader::check_with(
    const std::string& managed) {
  return reload_files(managed, true, {}, {});
}

management::Outcome<management::ReloadReport> ConfigReloader::apply_alias_states() {
  config::Config next = *base_;
  auto states = overlay_alias_states(needs_.stored_states, next);
  if (!states) return inbox_failed(states.error());
  auto planned = plan(std::move(next), *std::move(states), {});
  if (!planned) return refused(planned.error());
  return apply(*std::move(planned));
}

// ---- Applying ----

management::ReloadReport ConfigReloader::apply(ReloadPlan plan) {
  plan.commit();
  management::ReloadReport report = std::move(plan.report);
  for (const TriggerPtr& made : plan.start_triggers) {
    const auto id = needs_.client_ids.of(*plan.config->find_alias(made->config().alias));
    if (id) needs_.sessions.keep(trigger_client_id(*id, made->name()));
  }
  const ConfigPtr before = needs_.registry.config();
  needs_.shutdown.take_out(std::exchange(plan.stop_triggers, {}), before->runtime.drain_timeout);
  needs_.shutdown.take_out(std::exchange(plan.stop_aliases, {}));
  const mqtt::tls::Stores had = needs_.certificates.use(std::move(plan.certificates));
  needs_.registry.change([&](Running& running) {
    running.config = plan.config;
    running.alias_states = std::move(plan.alias_states);
    running.failures = std::move(plan.failures);
    running.not_made.clear();
    running.note_broken_packages();
  });
  needs_.plugin_reloader.set_drain_timeout(plan.config->runtime.drain_timeout);

  for (const std::string& name : plan.start_aliases) {
    start_alias(*plan.config->find_alias(name), report);
  }
  for (const TriggerPtr& trigger : std::exchange(plan.start_triggers, {})) {
    start_trigger(trigger, report);
  }

  needs_.sessions.end_unwanted(before.get(), had);
  forget_unwanted_keys(needs_.handled_keys, *plan.config, needs_.log);
  needs_.plugin_reloader.drop_unused_plugins();
  warn_of_missing_plugins(report);
  if (auto watching = needs_.plugin_reloader.watch_again(); !watching) {
    report.warnings.push_back(watching.error().message);
  }
  needs_.certificates.follow(plan.config);
  needs_.supervisor.post([&readiness = needs_.readiness] { readiness.update(); });
  return report;
}

void ConfigReloader::report_failure(management::ReloadReport& report, const std::string& what,
                                    const Error& error) {
  needs_.log.error("runtime.reload", {}, "{} is not running: {}", what, error.message);
  report.failures.push_back(fmt::format("{}: {}", what, error.message));
}

void ConfigReloader::start_alias(const config::Alias& alias, management::ReloadReport& report) {
  auto made = needs_.factory.make_alias(alias);
  if (!made) return report_failure(report, "alias " + alias.name, made.error());
  // Whoever publishes keeps the listener of the connection with it.
  needs_.publisher.add(alias.name, {*made, (*made)->connection().get()}, (*made)->outbox());
  needs_.registry.change([&](Running& running) { running.aliases.add(*made); });
  (*made)->open();
}

void ConfigReloader::start_trigger(const TriggerPtr& trigger, management::ReloadReport& report) {
  Result<> made = fail("its alias is not running");
  if (needs_.registry.now()->alias(trigger->config().alias)) {
    made = needs_.factory.connect(*trigger);
  }
  if (!made) {
    report_failure(report, "trigger " + trigger->name(), made.error());
    needs_.registry.change(
        [&](Running& running) { running.not_made[trigger->name()] = made.error().message; });
    return;
  }
  needs_.registry.change([&](Running& running) { running.triggers.add(trigger); });
  // After the writer's thread can find it: of what is said in between, the later one counts.
  needs_.inbox_health.report_to(*trigger);
  if (auto started = trigger->start(); !started) {
    report_failure(report, "trigger " + trigger->name(),
                   {"its service did not start: " + started.error().message});
  }
}

// What serves goes on without its file, and the next start will not.
void ConfigReloader::warn_of_missing_plugins(management::ReloadReport& report) const {
  for (const plugin::Watcher::Plugin& plugin : needs_.plugins.watched()) {
    const auto found = plugin::find_plugin(plugin.dirs, plugin.plugin);
    if (found) continue;
    report.warnings.push_back(
        fmt::format("plugin \"{}\" stays loaded, but the next start needs its file: {}",
                    plugin.name, found.error().message));
  }
}

// ---- As somebody has asked for ----

management::Outcome<management::ReloadReport> ConfigReloader::reload(const management::Actor& by,
                                                                     const std::string& must_run) {
  needs_.log.info("runtime.reload", {}, "reloading the configuration, prompted by {}", by);
  watcher_.note_read();
  auto done = reload_files(std::nullopt, false, {}, must_run);
  if (done) {
    log_done(*done);
  } else {
    log_refusal(done.error());
  }
  return done;
}

void ConfigReloader::log_refusal(const management::AdminError& error) {
  for (const management::AdminProblem& problem : error.problems) {
    needs_.log.error("runtime.reload_refused", {}, "{}",
                     config::to_string(config::Diagnostic{
                         {problem.file, problem.line, problem.column}, problem.message}));
  }
  needs_.log.error("runtime.reload_refused", {}, "{}", error.message);
  const MutexLock lock(mutex_);
  record_.failure =
      error.problems.empty() ? error.message : error.message + ": " + error.problems[0].message;
}

void ConfigReloader::log_done(management::ReloadReport& report) {
  const auto running = needs_.registry.now();
  for (const std::string& warning : report.warnings) {
    needs_.log.warn("runtime.reload", {}, "{}", warning);
  }
  running->failures.report_broken(needs_.log);
  for (const config::Package& package : running->config->packages) {
    if (!package.enabled) continue;
    for (const std::string& problem : running->failures.problems_of(package)) {
      report.warnings.push_back(fmt::format("package \"{}\" is broken: {}", package.name, problem));
    }
  }
  for (const std::string& key : report.needs_restart) {
    needs_.log.warn("runtime.reload", {}, "{} has changed, which takes effect only after a restart",
                    key);
  }
  needs_.log.info("runtime.reloaded", {},
                  "{} added, {} removed, {} changed, {} unchanged, in {} ms", report.added.size(),
                  report.removed.size(), report.changed.size(), report.unchanged,
                  static_cast<std::int64_t>(report.seconds * 1000));
}

void ConfigReloader::watch_files() {
  if (load_) watcher_.start();
}

ReloadRecord ConfigReloader::record() const {
  const MutexLock lock(mutex_);
  return record_;
}

}  // namespace triggerd::control
