// management/: everything that HTTP, triggerctl and the console, which manage a runtime, see of it.
// It depends on base/ alone, so it can be understood and faked without a running runtime.
//
//   management.hpp    the eight interfaces in one struct
//   status.hpp        StatusReader: snapshots of what runs
//   states.hpp        StateControl: enabled, disabled, suspended
//   definitions.hpp   DefinitionControl: defines aliases and triggers, reads the files again
//   test_runs.hpp     TestRuns: tries an alias or a trigger, publishes a message
//   plugins.hpp       PluginControl: reloads plugins, changes packages
//   dead_letters.hpp  DeadLetterControl: shows, edits, replays and drops dead letters
//   outboxes.hpp      OutboxControl: shows and clears what aliases keep to publish
//   events.hpp        EventSource: what happens, as it happens
//   errors.hpp        how a call fails
//   event_bus.hpp     fans events out to those who listen
//
// control/services/ implements the interfaces, and admin/ calls them. Each header says what its
// calls may wait for.
#pragma once

namespace triggerd::management {

class StatusReader;
class StateControl;
class DefinitionControl;
class TestRuns;
class PluginControl;
class DeadLetterControl;
class OutboxControl;
class EventSource;

// All of them belong to one runtime, which has to outlive every copy of this struct.
struct Management {
  const StatusReader& status;
  StateControl& states;
  DefinitionControl& definitions;
  TestRuns& test_runs;
  PluginControl& plugins;
  DeadLetterControl& dead_letters;
  OutboxControl& outboxes;
  EventSource& events;
};

}  // namespace triggerd::management
