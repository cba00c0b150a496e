// Makes the members of what runs: the connections of aliases, and triggers.
#pragma once

#include <string>

#include "config/config.hpp"
#include "control/members/certificate_rotation.hpp"
#include "control/members/client_ids.hpp"
#include "control/members/readiness.hpp"
#include "control/plugins/plugin_set.hpp"
#include "control/running/control_thread.hpp"
#include "control/running/registry.hpp"
#include "inbox/writer.hpp"
#include "mqtt/session/connection.hpp"
#include "outbox/outboxes.hpp"
#include "trigger/publisher.hpp"
#include "trigger/trigger.hpp"

namespace triggerd::control {

// How an alias connects under this client id, with these certificates.
mqtt::ConnectionOptions connection_options(const config::Alias& alias, std::string client_id,
                                           const mqtt::tls::Stores& certificates);

// Nothing that it makes is connected or started yet. No lock; [control], or main while nothing
// runs.
class MemberFactory {
 public:
  // What its members work with. All outlive them.
  struct Needs {
    const Registry& registry;
    ControlThread& control;
    PluginSet& plugins;
    const CertificateRotation& certificates;
    ClientIds& client_ids;
    Readiness& readiness;
    const mqtt::ConnectionServices& connections;
    EventLoop& timer;
    inbox::Inbox& inbox;
    inbox::Writer& writer;
    trigger::Publisher& publisher;
    outbox::Outboxes& outboxes;
    dispatch::MessageIds& ids;
    Log& log;
    management::EventBus& events;
    dispatch::Deaths* deaths;  // null: nothing is known about earlier runs
  };
  explicit MemberFactory(const Needs& needs) : needs_(needs) {}

  // The connection of an alias itself.
  Result<AliasPtr> make_alias(const config::Alias& alias);
  // A trigger with its service, for which its plugins are loaded, and without a connection.
  struct NotMade {
    config::Diagnostic why;  // at the place of what is wrong
    bool may_pass;           // the machine lacks something; the files are right
  };
  tl::expected<TriggerPtr, NotMade> make_trigger(const config::Trigger& trigger);
  // Gives it its connection, as the configuration that runs says.
  Result<> connect(trigger::Trigger& trigger);

 private:
  void alias_changed(const std::string& name);
  void start_later(const trigger::Trigger& failed, Millis delay);
  trigger::TriggerServices trigger_services();

  const Needs needs_;
};

}  // namespace triggerd::control
