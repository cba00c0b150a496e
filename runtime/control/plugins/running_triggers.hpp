// The triggers that run, as users of plugins.
#pragma once

#include <string>
#include <vector>

#include "control/plugins/plugin_build.hpp"
#include "control/running/registry.hpp"

namespace triggerd::control {

// No lock: it asks the registry.
class RunningTriggers final : public PluginUsers {
 public:
  // Outlives it.
  explicit RunningTriggers(const Registry& registry) : registry_(registry) {}

  List of(const PluginBuild& build) const override;
  std::vector<plugin::Metric> metrics(const std::string& trigger) const override;

 private:
  const Registry& registry_;
};

}  // namespace triggerd::control
