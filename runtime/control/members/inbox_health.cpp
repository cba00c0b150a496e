#include "control/members/inbox_health.hpp"

namespace triggerd::control {

void InboxHealth::note(const std::optional<std::string>& reason) {
  if (reason) {
    log_.error("inbox.trouble", {}, "{}; receiving is paused until the inbox can be written again",
               *reason);
  } else {
    log_.info("inbox.recovered", {}, "the inbox can be written again");
  }
  const MutexLock lock(mutex_);
  trouble_ = reason;
  if (!begun_) return;
  const auto running = registry_.now();
  for (const TriggerPtr& trigger : running->triggers) trigger->inbox_trouble(reason);
}

void InboxHealth::begin() {
  const MutexLock lock(mutex_);
  begun_ = true;
  if (!trouble_) return;
  const auto running = registry_.now();
  for (const TriggerPtr& trigger : running->triggers) trigger->inbox_trouble(trouble_);
}

void InboxHealth::report_to(trigger::Trigger& trigger) const {
  const MutexLock lock(mutex_);
  if (trouble_) trigger.inbox_trouble(trouble_);
}

std::optional<std::string> InboxHealth::trouble() const {
  const MutexLock lock(mutex_);
  return trouble_;
}

}  // namespace triggerd::control
