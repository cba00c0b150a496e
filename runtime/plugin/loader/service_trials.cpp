#include "plugin/loader/service_trials.hpp"

#include "config/trigger.hpp"
#include "plugin/loader/trial_record.hpp"

namespace triggerd::plugin {

ServiceTrials::Trial ServiceTrials::begin(const config::Trigger& trigger) {
  {
    const MutexLock lock(mutex_);
    const bool is_new = tried_.insert(trigger.service).second;
    if (!is_new && !settings_are_new_) return {};
  }
  if (!record_) return {.is_due = true, .digest = {}};
  Trial trial{.is_due = false, .digest = record_->service(sha256_, trigger)};
  trial.is_due = !record_->knows(trial.digest);
  return trial;
}

void ServiceTrials::failed(const config::Trigger& trigger) {
  const MutexLock lock(mutex_);
  tried_.erase(trigger.service);
}

void ServiceTrials::passed(const std::string& digest) {
  if (record_) record_->add(digest);
}

void ServiceTrials::expect_new_settings() {
  const MutexLock lock(mutex_);
  settings_are_new_ = true;
}

}  // namespace triggerd::plugin
