// Plugins and packages: how they are changed while the runtime runs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "management/definitions.hpp"
#include "management/errors.hpp"

namespace triggerd::management {

struct PluginReloadOptions {
  // Reload even if the file is what is in service; and give pending messages of the old generation
  // to the new one, instead of giving up the reload.
  bool force = false;
  // Begin without what the old generation saved: for a service whose state is what is wrong with
  // it. Reloads even if the file is what is in service.
  bool drop_state = false;

  bool even_unchanged() const { return force || drop_state; }
};

struct PluginReload {
  bool changed = false;  // false: the file is what is in service already
  unsigned generation = 0;
  std::string version;
  double pause_seconds = 0;
};

// Reloads plugins and changes packages. Thread-safe: each call waits its turn on [control], behind
// other changes, each of which may take its drain_timeout. A runtime that stops answers
// `unavailable`.
class PluginControl {
 public:
  virtual ~PluginControl() = default;

  virtual Outcome<PluginReload> reload_plugin(const std::string& plugin,
                                              const PluginReloadOptions& how, const Actor& by) = 0;
  virtual Outcome<ReloadReport> enable_package(std::string_view name, const Actor& by) = 0;
  virtual Outcome<ReloadReport> disable_package(std::string_view name, const Actor& by) = 0;
  // `archive` is a file on this machine. `values`: ALIAS.KEY=VALUE, kept beside the package.
  virtual Outcome<ReloadReport> install_package(const std::string& archive,
                                                const std::vector<std::string>& values,
                                                bool downgrade, const Actor& by) = 0;
  virtual Outcome<ReloadReport> remove_package(std::string_view name, const Actor& by) = 0;
};

}  // namespace triggerd::management
