// What all triggers of a runtime share.
#pragma once

#include <functional>

#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "dispatch/message_id.hpp"
#include "inbox/inbox.hpp"
#include "inbox/writer.hpp"
#include "management/event_bus.hpp"
#include "mqtt/session/connection.hpp"
#include "trigger/publisher.hpp"

namespace triggerd::dispatch {
class Deaths;
}  // namespace triggerd::dispatch

namespace triggerd::trigger {

class Trigger;

// Outlives the triggers.
struct TriggerServices {
  const mqtt::ConnectionServices& connections;
  EventLoop& timer;
  inbox::Inbox& inbox;
  inbox::Writer& writer;
  Publisher& publisher;
  dispatch::MessageIds& ids;
  Log& log;
  management::EventBus& events;
  // Some trigger began or ceased to run. [supervisor]
  std::function<void()> running_changed;
  // A trigger's service did not start: start_again() is to be called after this time. [control]
  std::function<void(Trigger&, Millis)> start_later;
  // Whether the runtime is stopping, so that nothing may wait for long. [any]
  std::function<bool()> stopping;
  dispatch::Deaths* deaths = nullptr;  // null: nothing is known about earlier runs
};

}  // namespace triggerd::trigger
