// Runtime: what Administration does to states, plugins and packages; and publishing.
#include <fmt/format.h>

#include "control/alias_connection.hpp"
#include "control/runtime.hpp"
#include "mqtt/packet/properties.hpp"

namespace triggerd::control {
namespace {

management::AdminError conflict(std::string message) {
  return {management::AdminError::Kind::conflict, std::move(message), {}};
}

management::AdminError failed(const Error& error) {
  return {management::AdminError::Kind::failed, error.message, {}};
}

management::AdminError no_packages() {
  return {management::AdminError::Kind::unavailable,
          "this runtime was given no packages to change",
          {}};
}

management::Outcome<> outcome_of(const Result<>& done) {
  if (done) return {};
  return tl::make_unexpected(failed(done.error()));
}

}  // namespace

management::AdminError Runtime::not_running() {
  return {management::AdminError::Kind::unavailable,
          "the runtime starts or stops: nothing is changed now",
          {}};
}

// ---- States ----

// [control]
management::Outcome<Runtime::TriggerPtr> Runtime::find_trigger(std::string_view name) const {
  if (TriggerPtr running = running_trigger(name)) return running;
  const ConfigPtr all = config();
  const config::Trigger* defined = all->find_trigger(name);
  if (defined == nullptr) return tl::make_unexpected(trigger(name).error());
  const auto status = trigger(name);
  std::string advice;
  if (!defined->enabled) {
    advice = is_of_disabled_package(*all, *defined)
                 ? fmt::format("; enable package \"{}\"", defined->package)
                 : fmt::format("; write enabled = true at {}", config::to_string(defined->place));
  }
  return tl::make_unexpected(
      conflict(fmt::format("trigger \"{}\" does not run: {}{}", name,
                           status ? status->not_running_reason : std::string(), advice)));
}

management::Outcome<> Runtime::enable_trigger(std::string_view name, const management::Actor& by) {
  return on_control([&]() -> management::Outcome<> {
    if (auto enabled = enable_in_managed_file(management::DefinitionKind::trigger, name);
        !enabled) {
      return enabled;
    }
    auto found = find_trigger(name);
    if (!found) return tl::make_unexpected(found.error());
    log_.info("trigger.enabled", {{"trigger", (*found)->name()}}, "by {}", by);
    if (auto enabled = (*found)->enable(); !enabled) return outcome_of(enabled);
    // Whoever says so has mended what kept its service from starting.
    return outcome_of((*found)->start_again());
  });
}

management::Outcome<> Runtime::resume_trigger(std::string_view name, const management::Actor& by) {
  return on_control([&]() -> management::Outcome<> {
    auto found = find_trigger(name);
    if (!found) return tl::make_unexpected(found.error());
    management::TriggerStatus status;
    (*found)->fill_in(status);
    if (status.state == management::TriggerStatus::State::disabled) {
      return tl::make_unexpected(
          conflict(fmt::format("trigger \"{}\" is disabled, not suspended; enable it", name)));
    }
    log_.info("trigger.enabled", {{"trigger", (*found)->name()}}, "by {}", by);
    return outcome_of((*found)->enable());
  });
}

management::Outcome<> Runtime::disable_trigger(std::string_view name, const management::Actor& by,
                                               const std::string& reason) {
  return on_control([&]() -> management::Outcome<> {
    auto found = find_trigger(name);
    if (!found) return tl::make_unexpected(found.error());
    return outcome_of((*found)->disable(by, reason, config()->runtime.drain_timeout));
  });
}

management::Outcome<> Runtime::suspend_trigger(std::string_view name, const management::Actor& by,
                                               const std::string& reason) {
  return on_control([&]() -> management::Outcome<> {
    auto found = find_trigger(name);
    if (!found) return tl::make_unexpected(found.error());
    management::TriggerStatus status;
    (*found)->fill_in(status);
    if (status.state == management::TriggerStatus::State::disabled) {
      return tl::make_unexpected(
          conflict(fmt::format("trigger \"{}\" is disabled; enable it first", name)));
    }
    return outcome_of((*found)->suspend(by, reason));
  });
}

// [control]
management::Outcome<> Runtime::set_alias_state(std::string_view name,
                                               const std::optional<inbox::TriggerState>& state) {
  const config::Alias* defined = base_->find_alias(name);
  if (defined == nullptr) return tl::make_unexpected(alias(name).error());
  if (!state && !defined->enabled) {
    const config::Package* package = base_->find_package(defined->package);
    return tl::make_unexpected(conflict(
        package != nullptr && !package->enabled
            ? fmt::format("alias \"{}\" is of package \"{}\", which is disabled; enable that", name,
                          package->name)
            : fmt::format("alias \"{}\" is disabled by the configuration; write enabled = true at "
                          "{}",
                          name, config::to_string(defined->place))));
  }
  if (auto kept = inbox_->set_trigger_state(state_key(name), state); !kept) {
    return tl::make_unexpected(failed(kept.error()));
  }
  const auto report = apply_states();
  if (!report) {
    // What it needs is not there any more, such as a plugin.
    (void)inbox_->set_trigger_state(
        state_key(name), inbox::TriggerState{.state = inbox::TriggerState::State::disabled,
                                             .changed_by = "the runtime",
                                             .reason = "it could not be enabled",
                                             .since = system_clock().wall()});
    return tl::make_unexpected(report.error());
  }
  if (!report->failures.empty()) return tl::make_unexpected(failed({report->failures.front()}));
  return {};
}

management::Outcome<> Runtime::enable_alias(std::string_view name, const management::Actor& by) {
  return on_control([&]() -> management::Outcome<> {
    if (auto enabled = enable_in_managed_file(management::DefinitionKind::alias, name); !enabled) {
      return enabled;
    }
    auto done = set_alias_state(name, std::nullopt);
    if (done) log_.info("alias.enabled", {{"alias", std::string(name)}}, "enabled by {}", by);
    return done;
  });
}

management::Outcome<> Runtime::disable_alias(std::string_view name, const management::Actor& by,
                                             const std::string& reason) {
  return on_control([&]() -> management::Outcome<> {
    auto done =
        set_alias_state(name, inbox::TriggerState{.state = inbox::TriggerState::State::disabled,
                                                  .changed_by = by,
                                                  .reason = reason,
                                                  .since = system_clock().wall()});
    if (done) {
      log_.warn("alias.disabled", {{"alias", std::string(name)}}, "disabled by {}: {}", by, reason);
    }
    return done;
  });
}

// ---- Plugins and packages ----

Result<Reloader::Report> Runtime::reload_plugin(const std::string& plugin,
                                                const management::PluginReloadOptions& how) {
  auto done = on_control([&]() -> management::Outcome<Reloader::Report> {
    auto report = reloader_.reload(plugin, how);
    if (!report) return tl::make_unexpected(failed(report.error()));
    return *report;
  });
  if (!done) return fail("{}", done.error().message);
  return *done;
}

management::Outcome<management::PluginReload> Runtime::reload_plugin(
    const std::string& plugin, const management::PluginReloadOptions& how,
    const management::Actor& by) {
  return on_control([&]() -> management::Outcome<management::PluginReload> {
    if (!plugins_.in_service(plugin)) {
      return tl::make_unexpected(management::AdminError{
          management::AdminError::Kind::not_found, plugins_.why_not_loaded(plugin), {}});
    }
    log_.info("plugin.reload", {{"plugin", plugin}}, "asked for by {}{}", by,
              how.drop_state ? ", without the state of what serves" : "");
    const auto done = reloader_.reload(plugin, how);
    if (!done) return tl::make_unexpected(failed(done.error()));
    return management::PluginReload{
        .changed = done->outcome == Reloader::Outcome::reloaded,
        .generation = done->generation,
        .version = done->version,
        .pause_seconds = std::chrono::duration<double>(done->pause).count()};
  });
}

management::Outcome<management::ReloadReport> Runtime::change_package(
    const management::Actor& by, std::string_view what, const std::function<Result<>()>& change) {
  return on_control([&]() -> management::Outcome<management::ReloadReport> {
    if (auto done = change(); !done) return tl::make_unexpected(conflict(done.error().message));
    log_.info("package.changed", {}, "{}, by {}", what, by);
    return reload_here(by);
  });
}

// A change that brings something to run: it is kept only where the reload takes it.
management::Outcome<management::ReloadReport> Runtime::bring_package(
    const management::Actor& by, std::string_view what,
    const std::function<Result<>(const Confirm&)>& change) {
  return on_control([&]() -> management::Outcome<management::ReloadReport> {
    std::optional<management::Outcome<management::ReloadReport>> reloaded;
    const auto done = change([&](const std::string& name) -> Result<> {
      reloaded = reload_here(by, name);
      if (!*reloaded) return fail("{}", reloaded->error().message);
      return {};
    });
    if (done) {
      log_.info("package.changed", {}, "{}, by {}", what, by);
      return *std::move(reloaded);
    }
    if (!reloaded) return tl::make_unexpected(conflict(done.error().message));
    files_taken_ = look_of_files();  // it was undone: nothing is to be read again
    management::AdminError error = std::move(reloaded->error());
    error.message = fmt::format("{}; the package is as it was before", done.error().message);
    return tl::make_unexpected(std::move(error));
  });
}

management::Outcome<management::ReloadReport> Runtime::enable_package(std::string_view name,
                                                                      const management::Actor& by) {
  if (!options_.packages.enable) return tl::make_unexpected(no_packages());
  return bring_package(
      by, fmt::format("package \"{}\" is enabled", name),
      [&](const Confirm& confirm) { return options_.packages.enable(name, confirm); });
}

management::Outcome<management::ReloadReport> Runtime::disable_package(
    std::string_view name, const management::Actor& by) {
  if (!options_.packages.disable) return tl::make_unexpected(no_packages());
  return change_package(by, fmt::format("package \"{}\" is disabled", name),
                        [&] { return options_.packages.disable(name); });
}

management::Outcome<management::ReloadReport> Runtime::install_package(
    const std::string& archive, const std::vector<std::string>& values, bool downgrade,
    const management::Actor& by) {
  if (!config()->admin.manage) return tl::make_unexpected(may_not_manage());
  if (!options_.packages.install) return tl::make_unexpected(no_packages());
  return bring_package(by, fmt::format("{} is installed", archive), [&](const Confirm& confirm) {
    return options_.packages.install(archive, values, downgrade, confirm);
  });
}

management::Outcome<management::ReloadReport> Runtime::remove_package(std::string_view name,
                                                                      const management::Actor& by) {
  if (!config()->admin.manage) return tl::make_unexpected(may_not_manage());
  if (!options_.packages.remove) return tl::make_unexpected(no_packages());
  return change_package(by, fmt::format("package \"{}\" is removed", name), [&] {
    keep_material_of(name);
    return options_.packages.remove(name);
  });
}

// ---- Publishing ----

management::Outcome<> Runtime::publish(const management::PublishMessage& message, Millis timeout) {
  std::vector<mqtt::Property> properties;
  for (const auto& [name, value] : message.user_properties) {
    properties.push_back({.id = mqtt::property::kUser, .name = name, .value = value});
  }
  const mqtt::PublishRequest request{
      .topic = message.topic,
      .payload = {reinterpret_cast<const std::uint8_t*>(message.payload.data()),
                  message.payload.size()},
      .qos = message.qos,
      .retained = message.retained,
      .properties = properties,
      .wait_limit = timeout};
  const auto done = std::make_shared<std::promise<Result<>>>();
  const std::int32_t code = publisher_.publish(
      message.alias, request, [done](const Result<>& outcome) { done->set_value(outcome); });
  switch (code) {
    case TRIGGER_OK:
      break;
    case TRIGGER_E_NOT_FOUND: {
      auto found = alias(message.alias);
      if (!found) return tl::make_unexpected(found.error());
      return tl::make_unexpected(conflict(fmt::format("alias \"{}\" is disabled", message.alias)));
    }
    case TRIGGER_E_NOT_CONNECTED:
    case TRIGGER_E_FULL:
      return tl::make_unexpected(management::AdminError{
          management::AdminError::Kind::unavailable,
          fmt::format("alias \"{}\" {}", message.alias,
                      code == TRIGGER_E_FULL ? "has too many messages under way; try again"
                                             : "is not connected"),
          {}});
    case TRIGGER_E_UNSUPPORTED:
      return tl::make_unexpected(management::AdminError{
          management::AdminError::Kind::invalid,
          fmt::format("alias \"{}\" speaks 3.1.1, which has no properties", message.alias),
          {}});
    default:
      return tl::make_unexpected(management::AdminError{
          management::AdminError::Kind::invalid,
          fmt::format("cannot publish to \"{}\" with QoS {}: the topic must be without "
                      "wildcards, and QoS 0, 1 or 2",
                      message.topic, message.qos),
          {}});
  }
  auto outcome = done->get_future();
  if (outcome.wait_for(timeout) != std::future_status::ready) {
    return tl::make_unexpected(management::AdminError{
        management::AdminError::Kind::unavailable,
        fmt::format("the server of alias \"{}\" has not confirmed the message in time; it may have "
                    "it all the same",
                    message.alias),
        {}});
  }
  return outcome_of(outcome.get());
}

}  // namespace triggerd::control
