#include "control/services/states.hpp"

#include <fmt/format.h>

#include <string>

#include "control/plugins/plugin_set.hpp"
#include "control/reload/alias_states.hpp"
#include "control/running/admin_errors.hpp"
#include "control/services/definitions.hpp"

namespace triggerd::control {

management::Outcome<TriggerPtr> States::find_trigger(std::string_view name) const {
  if (TriggerPtr running = needs_.registry.now()->trigger(name)) return running;
  const auto status = needs_.status.trigger(name);
  if (!status) return tl::make_unexpected(status.error());
  const ConfigPtr all = needs_.registry.config();
  const config::Trigger* defined = all->find_trigger(name);
  std::string advice;
  if (defined != nullptr && !defined->enabled) {
    advice = is_of_disabled_package(*all, *defined)
                 ? fmt::format("; enable package \"{}\"", defined->package)
                 : fmt::format("; write enabled = true at {}", config::to_string(defined->place));
  }
  return conflict(
      fmt::format("trigger \"{}\" is not running: {}{}", name, status->not_running_reason, advice));
}

management::Outcome<TriggerPtr> States::find_enabled_trigger(std::string_view name,
                                                             std::string_view advice) const {
  auto found = find_trigger(name);
  if (found && (*found)->is_disabled()) {
    return conflict(fmt::format("trigger \"{}\" is disabled{}", name, advice));
  }
  return found;
}

management::Outcome<> States::enable(trigger::Trigger& trigger, const management::Actor& by) const {
  auto enabled = outcome_of(trigger.enable());
  if (enabled)
    needs_.log.info("trigger.enabled", {{"trigger", trigger.name()}}, "enabled by {}", by);
  return enabled;
}

management::Outcome<> States::enable_trigger(std::string_view name, const management::Actor& by) {
  return needs_.control.run([&]() -> management::Outcome<> {
    if (auto enabled = enable_in_managed_file(needs_.reloader, *needs_.registry.config(),
                                              management::DefinitionKind::trigger, name);
        !enabled) {
      return enabled;
    }
    auto found = find_trigger(name);
    if (!found) return tl::make_unexpected(found.error());
    if (auto enabled = enable(**found, by); !enabled) return enabled;
    // Whoever says so has mended what kept its service from starting.
    return outcome_of((*found)->start_again());
  });
}

management::Outcome<> States::resume_trigger(std::string_view name, const management::Actor& by) {
  return needs_.control.run([&]() -> management::Outcome<> {
    auto found = find_enabled_trigger(name, ", not suspended; enable it");
    if (!found) return tl::make_unexpected(found.error());
    return enable(**found, by);
  });
}

management::Outcome<> States::disable_trigger(std::string_view name, const management::Actor& by,
                                              const std::string& reason) {
  return needs_.control.run([&]() -> management::Outcome<> {
    auto found = find_trigger(name);
    if (!found) return tl::make_unexpected(found.error());
    return outcome_of(
        (*found)->disable(by, reason, needs_.registry.config()->runtime.drain_timeout));
  });
}

management::Outcome<> States::suspend_trigger(std::string_view name, const management::Actor& by,
                                              const std::string& reason) {
  return needs_.control.run([&]() -> management::Outcome<> {
    auto found = find_enabled_trigger(name, "; enable it first");
    if (!found) return tl::make_unexpected(found.error());
    return outcome_of((*found)->suspend(by, reason));
  });
}

management::Outcome<> States::change_alias(std::string_view name,
                                           const std::optional<inbox::TriggerState>& state) {
  const config::Alias* defined = needs_.reloader.base().find_alias(name);
  if (defined == nullptr) return no_alias(*needs_.registry.config(), name);
  if (!state && !defined->enabled) {
    const config::Package* package = needs_.reloader.base().find_package(defined->package);
    return conflict(
        package != nullptr && !package->enabled
            ? fmt::format(
                  "alias \"{}\" belongs to package \"{}\", which is disabled; enable the package",
                  name, package->name)
            : fmt::format("alias \"{}\" is disabled by the configuration; write enabled = true at "
                          "{}",
                          name, config::to_string(defined->place)));
  }
  if (auto kept = set_alias_state(needs_.stored, name, state); !kept) {
    return failed(kept.error());
  }
  const auto report = needs_.reloader.apply_alias_states();
  if (!report) {
    // What it needs is not there any more, such as a plugin.
    (void)set_alias_state(needs_.stored, name,
                          inbox::TriggerState{.state = inbox::TriggerState::State::disabled,
                                              .changed_by = "the runtime",
                                              .reason = "it could not be enabled",
                                              .since = needs_.control.clock().wall()});
    return tl::make_unexpected(report.error());
  }
  if (!report->failures.empty()) return failed({report->failures.front()});
  return {};
}

management::Outcome<> States::enable_alias(std::string_view name, const management::Actor& by) {
  return needs_.control.run([&]() -> management::Outcome<> {
    if (auto enabled = enable_in_managed_file(needs_.reloader, *needs_.registry.config(),
                                              management::DefinitionKind::alias, name);
        !enabled) {
      return enabled;
    }
    auto done = change_alias(name, std::nullopt);
    if (done) needs_.log.info("alias.enabled", {{"alias", std::string(name)}}, "enabled by {}", by);
    return done;
  });
}

management::Outcome<> States::disable_alias(std::string_view name, const management::Actor& by,
                                            const std::string& reason) {
  return needs_.control.run([&]() -> management::Outcome<> {
    auto done =
        change_alias(name, inbox::TriggerState{.state = inbox::TriggerState::State::disabled,
                                               .changed_by = by,
                                               .reason = reason,
                                               .since = needs_.control.clock().wall()});
    if (done) {
      needs_.log.warn("alias.disabled", {{"alias", std::string(name)}}, "disabled by {}: {}", by,
                      reason);
    }
    return done;
  });
}

}  // namespace triggerd::control
