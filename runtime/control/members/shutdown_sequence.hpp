// How members stop: first what has been accepted is finished, then they disconnect, then their
// services end. Each stage is done for all of them before the next.
#pragma once

#include <memory>
#include <vector>

#include "base/event_loop.hpp"
#include "control/plugins/plugin_reloader.hpp"
#include "control/running/control_thread.hpp"
#include "control/running/registry.hpp"
#include "inbox/writer.hpp"
#include "trigger/publisher.hpp"

namespace triggerd::control {

// Keeps those that have stopped until they may be destroyed. No lock; [control], and main once
// control has stopped.
class ShutdownSequence {
 public:
  // All outlive it.
  struct Needs {
    Registry& registry;
    ControlThread& control;
    PluginReloader& reloader;
    inbox::Writer& writer;
    trigger::Publisher& publisher;
    outbox::Outboxes& outboxes;
    EventLoop& supervisor;
    EventLoop& timer;
    const Clock& clock;  // that of the threads it waits for
  };
  explicit ShutdownSequence(const Needs& needs) : needs_(needs) {}

  // As the runtime itself stops, but for these alone: what they have accepted is finished within
  // `drain_timeout`, or kept by the inbox and the server; their sessions stay. [control]
  void take_out(const std::vector<TriggerPtr>& triggers, Millis drain_timeout);
  void take_out(const std::vector<AliasPtr>& aliases);

  // When each stage of the end has to be over.
  struct Deadlines {
    Monotonic drained;
    Monotonic quiet;  // services have ended
    Monotonic ended;
  };
  // Stops everything that runs. False: a call of a service never returned, and only the end of the
  // process ends it. [main]
  [[nodiscard]] bool stop_all(const Deadlines& deadlines);

 private:
  void drain(const std::vector<TriggerPtr>& triggers, Monotonic deadline);
  std::vector<TriggerPtr> finish(const std::vector<TriggerPtr>& triggers, Monotonic deadline);
  void destroy_stopped();
  // The moment at which this time is over.
  Monotonic in(Millis time) const { return needs_.clock.now() + time; }

  const Needs needs_;
  std::vector<TriggerPtr> stopped_;  // the writer may still have something of them
  std::vector<TriggerPtr> hung_;     // a call of their service has not returned
};

}  // namespace triggerd::control
