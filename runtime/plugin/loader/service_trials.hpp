// Which services of one generation were made in a worker process first. The constructor of a
// service may end its process, as that of a library may; here that costs a worker.
//
// Once for each service is enough to see a build that does so, and costs a thousand triggers no
// more than one. Once the triggers that there were have their instances, it is settings that are
// new, and every service is tried again.
//
// A lock of its own. [any]
#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>

#include "base/mutex.hpp"
#include "config/config_fwd.hpp"

namespace triggerd::plugin {

class TrialRecord;

class ServiceTrials {
 public:
  // `record`: what earlier starts have tried; may be null. `sha256` is the library's.
  ServiceTrials(std::shared_ptr<TrialRecord> record, std::string sha256)
      : record_(std::move(record)), sha256_(std::move(sha256)) {}
  ServiceTrials(const ServiceTrials&) = delete;
  ServiceTrials& operator=(const ServiceTrials&) = delete;

  struct Trial {
    bool is_due = false;
    std::string digest;  // for passed(); empty where the trial of another trigger counts
  };
  // The trial that comes before the trigger's service is made here.
  Trial begin(const config::Trigger& trigger);
  // It has failed, so that the next one of that service is due.
  void failed(const config::Trigger& trigger);
  // The service was made here as well.
  void passed(const std::string& digest);
  // From now on the settings of a trigger are a reason to try its service.
  void expect_new_settings();

 private:
  const std::shared_ptr<TrialRecord> record_;
  const std::string sha256_;
  Mutex mutex_;
  std::set<std::string> tried_ TRIGGERD_GUARDED_BY(mutex_);  // services
  bool settings_are_new_ TRIGGERD_GUARDED_BY(mutex_) = false;
};

}  // namespace triggerd::plugin
