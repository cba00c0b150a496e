#include "control/running/registry.hpp"

#include <algorithm>

namespace triggerd::control {
namespace {

template <class Member>
std::shared_ptr<Member> find_by_name(const std::vector<std::shared_ptr<Member>>& members,
                                     std::string_view name) {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [name](const auto& member) { return member->name() == name; });
  return found == members.end() ? nullptr : *found;
}

}  // namespace

AliasPtr Running::alias(std::string_view name) const {
  return find_by_name(aliases, name);
}

TriggerPtr Running::trigger(std::string_view name) const {
  return find_by_name(triggers, name);
}

void Running::note_broken_packages() {
  for (const config::Trigger& trigger : config->triggers) {
    if (!failures.takes_out(trigger.name)) continue;
    not_made[trigger.name] = "its package, or that of its alias, is broken";
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
