// Whether everything that is wanted runs.
#pragma once

#include <string>
#include <vector>

#include "base/log.hpp"
#include "control/members/inbox_health.hpp"
#include "control/running/control_thread.hpp"
#include "control/running/registry.hpp"

namespace triggerd::control {

// Logs when the runtime becomes ready and when it ceases to be, and says why it is not.
class Readiness {
 public:
  // All outlive it.
  Readiness(const Registry& registry, const InboxHealth& inbox, const ControlThread& control,
            Log& log)
      : registry_(registry), inbox_(inbox), control_(control), log_(log) {}

  // Looks again, and logs a change: something came up, or went down. [supervisor]
  void update();
  // Why it is not ready, one line each; empty: it is. [any]
  std::vector<std::string> reasons() const;

 private:
  const Registry& registry_;
  const InboxHealth& inbox_;
  const ControlThread& control_;
  Log& log_;
  bool ready_ = false;  // [supervisor] as last logged
};

}  // namespace triggerd::control
