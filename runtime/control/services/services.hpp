// All that whoever manages a runtime may ask of it.
#pragma once

#include "control/services/dead_letters.hpp"
#include "control/services/definitions.hpp"
#include "control/services/outboxes.hpp"
#include "control/services/packages.hpp"
#include "control/services/states.hpp"
#include "control/services/status.hpp"
#include "control/services/test_runs.hpp"
#include "management/events.hpp"
#include "management/management.hpp"

namespace triggerd::control {

// One class for each interface of management/.
struct Services {
  Status status;
  States states;
  Definitions definitions;
  TestRunner test_runs;
  Packages packages;
  DeadLetters dead_letters;
  Outboxes outboxes;

  management::Management with(management::EventSource& events) {
    return {.status = status,
            .states = states,
            .definitions = definitions,
            .test_runs = test_runs,
            .plugins = packages,
            .dead_letters = dead_letters,
            .outboxes = outboxes,
            .events = events};
  }
};

}  // namespace triggerd::control
