#include "control/services/packages.hpp"

#include <fmt/format.h>

#include <chrono>

#include "control/running/admin_errors.hpp"

namespace triggerd::control {
namespace {

tl::unexpected<management::AdminError> no_packages() {
  return refused_as(management::AdminError::Kind::unavailable,
                    "this runtime does not manage packages");
}

}  // namespace

management::Outcome<management::PluginReload> Packages::reload_plugin(
    const std::string& plugin, const management::PluginReloadOptions& how,
    const management::Actor& by) {
  return needs_.control.run([&]() -> management::Outcome<management::PluginReload> {
    if (!needs_.plugins.in_service(plugin)) {
      return refused_as(management::AdminError::Kind::not_found,
                        needs_.plugins.why_not_loaded(plugin));
    }
    needs_.log.info("plugin.reload", {{"plugin", plugin}}, "requested by {}{}", by,
                    how.drop_state ? ", dropping the state of the service" : "");
    const auto done = needs_.plugin_reloader.reload(plugin, how);
    if (!done) return failed(done.error());
    return management::PluginReload{
        .changed = done->outcome == PluginReloader::Outcome::reloaded,
        .generation = done->generation,
        .version = done->version,
        .pause_seconds = std::chrono::duration<double>(done->pause).count()};
  });
}

management::Outcome<management::ReloadReport> Packages::take_out(
    const management::Actor& by, std::string_view what, const std::function<Result<>()>& change) {
  return needs_.control.run([&]() -> management::Outcome<management::ReloadReport> {
    if (auto done = change(); !done) return conflict(done.error().message);
    needs_.log.info("package.changed", {}, "{} by {}", what, by);
    return needs_.reloader.reload(by);
  });
}

management::Outcome<management::ReloadReport> Packages::bring_in(
    const management::Actor& by, std::string_view what,
    const std::function<Result<>(const Confirm&)>& change) {
  return needs_.control.run([&]() -> management::Outcome<management::ReloadReport> {
    std::optional<management::Outcome<management::ReloadReport>> reloaded;
    const auto done = change([&](const std::string& name) -> Result<> {
      reloaded = needs_.reloader.reload(by, name);
      if (!*reloaded) return fail("{}", reloaded->error().message);
      return {};
    });
    if (done) {
      needs_.log.info("package.changed", {}, "{} by {}", what, by);
      return *std::move(reloaded);
    }
    if (!reloaded) return conflict(done.error().message);
    needs_.reloader.note_files_read();  // it was undone: nothing is to be read again
    management::AdminError error = std::move(reloaded->error());
    error.message =
        fmt::format("{}; the package was put back as it was before", done.error().message);
    return tl::make_unexpected(std::move(error));
  });
}

management::Outcome<management::ReloadReport> Packages::enable_package(
    std::string_view name, const management::Actor& by) {
  if (!changes_.enable) return no_packages();
  return bring_in(by, fmt::format("package \"{}\" enabled", name),
                  [&](const Confirm& confirm) { return changes_.enable(name, confirm); });
}

management::Outcome<management::ReloadReport> Packages::disable_package(
    std::string_view name, const management::Actor& by) {
  if (!changes_.disable) return no_packages();
  return take_out(by, fmt::format("package \"{}\" disabled", name),
                  [&] { return changes_.disable(name); });
}

management::Outcome<management::ReloadReport> Packages::install_package(
    const std::string& archive, const std::vector<std::string>& values, bool downgrade,
    const management::Actor& by) {
  if (!needs_.registry.config()->admin.manage) return may_not_manage();
  if (!changes_.install) return no_packages();
  return bring_in(by, fmt::format("{} installed", archive), [&](const Confirm& confirm) {
    return changes_.install(archive, values, downgrade, confirm);
  });
}

management::Outcome<management::ReloadReport> Packages::remove_package(
    std::string_view name, const management::Actor& by) {
  if (!needs_.registry.config()->admin.manage) return may_not_manage();
  if (!changes_.remove) return no_packages();
  return take_out(by, fmt::format("package \"{}\" removed", name), [&] {
    needs_.sessions.keep_certificates_of(name);
    return changes_.remove(name);
  });
}

}  // namespace triggerd::control
