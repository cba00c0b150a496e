// Which services of one generation are still taken to be brief: each has a flag that all of its
// triggers share, so that what one of them finds out holds for all.
//
// A lock of its own. [any]
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "base/mutex.hpp"

namespace triggerd::plugin {

class BriefServices {
 public:
  // The flag of a service that is said to be brief; true until a call of it has taken too long.
  std::shared_ptr<std::atomic<bool>> flag_of(const std::string& service) {
    const MutexLock lock(mutex_);
    std::shared_ptr<std::atomic<bool>>& flag = flags_[service];
    if (!flag) flag = std::make_shared<std::atomic<bool>>(true);
    return flag;
  }

 private:
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<std::atomic<bool>>> flags_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::plugin
