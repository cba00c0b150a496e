// At which pace a trigger hands messages to its service, as whoever manages the runtime sees it.
#pragma once

#include <cstdint>
#include <string>

namespace triggerd::management {

// max_rate and delay as a configuration writes them; empty: none.
struct PacingRules {
  std::string max_rate;
  std::string delay;
};

struct PacingStatus {
  PacingRules rules;
  std::uint64_t waiting_for_delay = 0;
  bool rate_holds = false;       // max_rate, and nothing else, keeps a message waiting now
  double rate_held_seconds = 0;  // how long it has done so since the start
};

}  // namespace triggerd::management
