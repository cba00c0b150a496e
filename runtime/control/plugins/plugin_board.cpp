#include "control/plugins/plugin_board.hpp"

namespace triggerd::control {

void PluginBoard::refresh() {
  std::vector<management::PluginStatus> statuses;
  for (const std::string& name : builds_.names()) {
    const auto build = builds_.in_service(name);
    if (!build) continue;
    builds_.note_in_service(name);
    auto& [number, since] = in_service_[name];
    if (number != build->number) {
      number = build->number;
      since = clock_.wall();
    }
    management::PluginStatus status;
    status.name = name;
    status.version = build->version;
    status.generation = build->number;
    status.sha256 = build->sha256;
    status.file = build->file.string();
    status.in_service_since = since;
    status.services = build->services;
    status.on_probation = reloader_.on_probation(name);
    for (const auto& user : users_.of(*build)) status.triggers.push_back(user->name());
    statuses.push_back(std::move(status));
  }
  const MutexLock lock(mutex_);
  shown_ = std::move(statuses);
}

std::vector<management::PluginStatus> PluginBoard::plugins() const {
  std::vector<management::PluginStatus> statuses;
  {
    const MutexLock lock(mutex_);
    statuses = shown_;
  }
  const auto counts = reloader_.counts();
  for (management::PluginStatus& status : statuses) {
    if (const auto of = counts.find(status.name); of != counts.end()) {
      const auto seconds = [](std::chrono::microseconds pause) {
        return std::chrono::duration<double>(pause).count();
      };
      status.reloads = of->second.reloaded;
      status.reloads_failed = of->second.failed;
      status.rolled_back = of->second.rolled_back;
      status.last_pause_seconds = seconds(of->second.last_pause);
      status.longest_pause_seconds = seconds(of->second.longest_pause);
    }
    for (const std::string& name : status.triggers) {
      for (plugin::Metric& metric : users_.metrics(name)) {
        status.metrics.push_back({.trigger = name,
                                  .name = std::move(metric.name),
                                  .help = std::move(metric.help),
                                  .counter = metric.kind == TRIGGER_METRIC_COUNTER,
                                  .value = metric.value});
      }
    }
  }
  return statuses;
}

}  // namespace triggerd::control
