// How another build of a plugin takes over from the one that serves: in all of its triggers, or in
// none.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "control/plugins/plugin_build.hpp"

namespace triggerd::control {

// Where a reload has failed, as the log names it, and why.
struct ReloadFailure {
  const char* stage;
  Error error;
};

// The verdicts of triggers, each since it was made, by the trigger's name.
using Standings = std::map<std::string, Verdicts>;
Standings standings_of(const PluginUsers::List& users);

struct SwapOptions {
  Millis drain_timeout;  // for calls that are under way
  bool force;            // messages that are not completed by then are given to the new build
  bool with_state;       // of the old build
};

struct Swapped {
  Standings standings;              // at the moment at which neither build handled anything
  std::chrono::microseconds pause;  // in which no message was handled
};

// Has each user hand over to its successor. After a failure all of them are as before, and have
// their successors still. Gives up once `cancelled` is set. [control]
tl::expected<Swapped, ReloadFailure> swap_builds(const PluginUsers::List& users,
                                                 const SwapOptions& options, const Clock& clock,
                                                 const std::atomic<bool>& cancelled);

}  // namespace triggerd::control
