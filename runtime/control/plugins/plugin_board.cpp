#include "control/plugins/plugin_board.hpp"

namespace triggerd::control {

void PluginBoard::refresh() {
  const auto running = registry_.now();
  std::vector<management::PluginStatus> statuses;
  for (const std::string& name : plugins_.names()) {
    const auto generation = plugins_.in_service(name);
    if (!generation) continue;
    generation->is_in_service();
    auto& [number, since] = in_service_[name];
    if (number != generation->number()) {
      number = generation->number();
      since = clock_.wall();
    }
    management::PluginStatus status;
    status.name = name;
    status.version = generation->version();
    status.generation = generation->number();
    status.sha256 = generation->sha256();
    status.file = generation->file().string();
    status.in_service_since = since;
    status.services = generation->service_names();
    status.on_probation = reloader_.on_probation(name);
    for (const TriggerPtr& trigger : running->triggers) {
      if (trigger->uses(*generation)) status.triggers.push_back(trigger->name());
    }
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
  const auto running = registry_.now();
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
      const TriggerPtr trigger = running->trigger(name);
      if (!trigger) continue;
      for (plugin::Metric& metric : trigger->metrics()) {
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
