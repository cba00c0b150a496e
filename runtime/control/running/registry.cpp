#include "control/running/registry.hpp"

namespace triggerd::control {

void Running::note_broken_packages() {
  for (const config::Trigger& trigger : config->triggers) {
    if (!failures.takes_out(trigger)) continue;
    not_made[trigger.name] = "its package, or its alias's package, is broken";
  }
}

bool wants(const PackageFailures& failures, const config::Alias& alias) {
  return alias.enabled && !failures.contains(alias.package);
}

bool wants(const config::Config& config, const PackageFailures& failures,
           const config::Trigger& trigger) {
  const config::Alias* alias = config.find_alias(trigger.alias);
  return trigger.enabled && alias != nullptr && wants(failures, *alias) &&
         !failures.contains(trigger.package);
}

void Registry::change(const std::function<void(Running&)>& edit) {
  const auto next = std::make_shared<Running>(*now());
  edit(*next);
  std::shared_ptr<const Running> before = next;
  {
    const MutexLock lock(mutex_);
    now_.swap(before);
  }
  // What only the snapshot before had is destroyed here, without the lock.
}

}  // namespace triggerd::control
