// Plugins and packages: how they are changed while the runtime runs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "management/definitions.hpp"
#include "management/errors.hpp"

namespace triggerd::management {

struct PluginReloadOptions {
  // Reload even if the file has not changed. If the old generation still has pending messages after
  // drain_timeout, give them to the new one instead of giving up the reload.
  bool force = false;
  // Start the new generation without the state that the old one saved: for a service whose state is
  // the problem. Reloads even if the file has not changed.
  bool drop_state = false;

  bool even_unchanged() const { return force || drop_state; }
};

struct PluginReload {
  bool changed = false;  // false: this file is in service already
  unsigned generation = 0;
  std::string version;
  double pause_seconds = 0;
};

// Reloads plugins and changes packages. Thread-safe: each call waits its turn on [control], behind
// other changes, each of which may take its drain_timeout. While the runtime stops, calls fail
// with `unavailable`.
class PluginControl {
 public:
  virtual ~PluginControl() = default;

  virtual Outcome<PluginReload> reload_plugin(const std::string& plugin,
                                              const PluginReloadOptions& how, const Actor& by) = 0;
  virtual Outcome<ReloadReport> enable_package(std::string_view name, const Actor& by) = 0;
  virtual Outcome<ReloadReport> disable_package(std::string_view name, const Actor& by) = 0;
  // `archive` is a file on this machine. Each of `values` is ALIAS.KEY=VALUE; they are stored
  // beside the package.
  virtual Outcome<ReloadReport> install_package(const std::string& archive,
                                                const std::vector<std::string>& values,
                                                bool downgrade, const Actor& by) = 0;
  virtual Outcome<ReloadReport> remove_package(std::string_view name, const Actor& by) = 0;
};

}  // namespace triggerd::management
