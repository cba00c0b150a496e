// What a trigger's max_rate and delay are, in words for whoever manages the runtime. [any]
#pragma once

#include "base/units.hpp"
#include "config/trigger.hpp"
#include "management/pacing.hpp"

namespace triggerd::control {

inline management::PacingRules pacing_rules(const config::Trigger& trigger) {
  const config::Pacing& pacing = trigger.pacing;
  return {.max_rate = config::format_rate(pacing.max_rate),
          .delay = pacing.delay > Millis(0) ? format_duration(pacing.delay) : ""};
}

}  // namespace triggerd::control
