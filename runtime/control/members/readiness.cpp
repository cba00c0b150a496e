#include "control/members/readiness.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace triggerd::control {

void Readiness::update() {
  if (control_.stopping()) return;
  const auto running = registry_.now();
  const bool ready = !running->failures.any() && running->not_made.empty() &&
                     std::all_of(running->aliases.begin(), running->aliases.end(),
                                 [](const AliasPtr& alias) { return alias->up(); }) &&
                     std::all_of(running->triggers.begin(), running->triggers.end(),
                                 [](const TriggerPtr& trigger) { return trigger->running(); });
  if (ready && !ready_) {
    log_.info("runtime.ready", {}, "every alias is connected and every trigger is running");
  } else if (!ready && ready_) {
    log_.warn("runtime.not_ready", {},
              "an alias is not connected, or a trigger is not running; see \"triggerctl status\"");
  }
  ready_ = ready;
}

std::vector<std::string> Readiness::reasons() const {
  std::vector<std::string> reasons;
  const auto running = registry_.now();
  if (control_.stopping()) reasons.emplace_back("the runtime is stopping");
  for (const config::Package& package : running->config->packages) {
    if (package.enabled &&
        (!package.problems.empty() || running->failures.contains(package.name))) {
      reasons.push_back(fmt::format("package \"{}\" is broken", package.name));
    }
  }
  for (const AliasPtr& alias : running->aliases) {
    if (alias->up()) continue;
    const management::ConnectionView view = alias->view();
    reasons.push_back(fmt::format("alias \"{}\" is not connected: {}", alias->name(),
                                  view.reason.empty() ? view.state : view.reason));
  }
  for (const TriggerPtr& trigger : running->triggers) {
    if (trigger->running()) continue;
    management::TriggerStatus of;
    trigger->fill_in(of);
    reasons.push_back(
        fmt::format("trigger \"{}\" is not running: {}", trigger->name(), of.not_running_reason));
  }
  for (const auto& [name, why] : running->not_made) {
    reasons.push_back(fmt::format("trigger \"{}\" is not running: {}", name, why));
  }
  // No fault of the process: a full disk has room again some time, and another start would find it
  // as full.
  if (const auto trouble = inbox_.trouble()) {
    reasons.push_back("the inbox takes no messages: " + *trouble);
  }
  return reasons;
}

}  // namespace triggerd::control
