// management/: all that whoever manages a runtime sees of it: HTTP, triggerctl and the console. It
// knows base/, so it can be read and faked without anything that runs.
//
//   management.hpp    the seven interfaces in one struct
//   status.hpp        StatusReader: snapshots of what runs
//   states.hpp        StateControl: enabled, disabled, suspended
//   definitions.hpp   DefinitionControl: aliases and triggers are defined, files are read again
//   test_runs.hpp     TestRuns: an alias or a trigger is tried, a message is published
//   plugins.hpp       PluginControl: plugins are reloaded, packages changed
//   dead_letters.hpp  DeadLetterControl: shown, edited, replayed, dropped
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
class EventSource;

// All of them belong to one runtime, which outlives whoever holds this.
struct Management {
  const StatusReader& status;
  StateControl& states;
  DefinitionControl& definitions;
  TestRuns& test_runs;
  PluginControl& plugins;
  DeadLetterControl& dead_letters;
  EventSource& events;
};

}  // namespace triggerd::management
