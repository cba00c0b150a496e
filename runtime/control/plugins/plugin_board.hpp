// What is shown of the plugins that are loaded.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "control/plugins/plugin_build.hpp"
#include "control/plugins/plugin_reloader.hpp"
#include "management/status.hpp"

namespace triggerd::control {

// Keeps a copy of what only [control] may look at, for those who ask from other threads. The
// control thread refreshes it after each of its tasks, so whatever loads, reloads or rolls back a
// plugin does not have to think of it. Its lock is a leaf.
class PluginBoard {
 public:
  // All outlive it.
  PluginBoard(const PluginBuilds& builds, const PluginUsers& users, const PluginReloader& reloader,
              const Clock& clock)
      : builds_(builds), users_(users), reloader_(reloader), clock_(clock) {}

  // [control]
  void refresh();
  // With what services count, and how reloads went until now. [any]
  std::vector<management::PluginStatus> plugins() const;

 private:
  const PluginBuilds& builds_;
  const PluginUsers& users_;
  const PluginReloader& reloader_;
  const Clock& clock_;
  std::map<std::string, std::pair<unsigned, Wall>> in_service_;  // [control] generation, since when
  mutable Mutex mutex_;
  std::vector<management::PluginStatus> shown_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::control
