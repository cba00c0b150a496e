// Reloads plugins, and enables, disables, installs and removes packages.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "control/members/session_terminator.hpp"
#include "control/plugins/plugin_reloader.hpp"
#include "control/plugins/plugin_set.hpp"
#include "control/reload/config_reloader.hpp"
#include "control/running/control_thread.hpp"
#include "control/running/registry.hpp"
#include "management/plugins.hpp"

namespace triggerd::control {

// What can be done with packages on disk; the runtime reloads afterwards. Each may be empty.
struct PackageChanges {
  // Called once the change is made, with the package's name; an error undoes it.
  using Confirm = std::function<Result<>(const std::string& name)>;
  std::function<Result<>(std::string_view name, const Confirm& confirm)> enable;
  std::function<Result<>(std::string_view name)> disable;
  std::function<Result<>(const std::string& archive, const std::vector<std::string>& values,
                         bool downgrade, const Confirm& confirm)>
      install;
  std::function<Result<>(std::string_view name)> remove;
};

// [any]
class Packages final : public management::PluginControl {
 public:
  // All outlive it.
  struct Needs {
    ControlThread& control;
    const Registry& registry;
    const PluginSet& plugins;
    PluginReloader& plugin_reloader;
    ConfigReloader& reloader;
    SessionTerminator& sessions;
    Log& log;
  };
  Packages(const Needs& needs, PackageChanges changes)
      : needs_(needs), changes_(std::move(changes)) {}

  management::Outcome<management::PluginReload> reload_plugin(
      const std::string& plugin, const management::PluginReloadOptions& how,
      const management::Actor& by) override;
  management::Outcome<management::ReloadReport> enable_package(
      std::string_view name, const management::Actor& by) override;
  management::Outcome<management::ReloadReport> disable_package(
      std::string_view name, const management::Actor& by) override;
  management::Outcome<management::ReloadReport> install_package(
      const std::string& archive, const std::vector<std::string>& values, bool downgrade,
      const management::Actor& by) override;
  management::Outcome<management::ReloadReport> remove_package(
      std::string_view name, const management::Actor& by) override;

 private:
  using Confirm = PackageChanges::Confirm;
  // A change that takes something out: it stays, and the reload follows.
  management::Outcome<management::ReloadReport> take_out(const management::Actor& by,
                                                         std::string_view what,
                                                         const std::function<Result<>()>& change);
  // A change that brings something to run: it is kept only if the reload takes it.
  management::Outcome<management::ReloadReport> bring_in(
      const management::Actor& by, std::string_view what,
      const std::function<Result<>(const Confirm&)>& change);

  const Needs needs_;
  const PackageChanges changes_;
};

}  // namespace triggerd::control
