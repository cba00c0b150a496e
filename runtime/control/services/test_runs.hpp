// Tries aliases and triggers, and publishes.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "control/plugins/plugin_set.hpp"
#include "control/reload/config_reloader.hpp"
#include "control/running/control_thread.hpp"
#include "control/running/registry.hpp"
#include "control/services/test_message.hpp"
#include "management/test_runs.hpp"
#include "mqtt/session/connection.hpp"
#include "trigger/publisher.hpp"

namespace triggerd::control {

// Nothing that runs is touched: an alias is tried with a connection, and a trigger with an
// instance, that are made for it. Whoever asks waits on its own thread; making and ending an
// instance takes its turn on [control]. [any]
class TestRunner final : public management::TestRuns {
 public:
  // All outlive it.
  struct Needs {
    ControlThread& control;
    const Registry& registry;
    PluginSet& plugins;
    const ConfigReloader& reloader;
    const mqtt::ConnectionServices& connections;
    EventLoop& supervisor;
    const trigger::Publisher& publisher;
    const Clock& clock;  // that of the threads it waits for
    Log& log;
  };
  explicit TestRunner(const Needs& needs) : needs_(needs) {}

  management::Outcome<management::AliasTest> test_alias(std::string_view name,
                                                        Millis timeout) override;
  management::Outcome<management::AliasTest> test_alias(const std::string& name,
                                                        const management::DefinitionText& text,
                                                        Millis timeout) override;
  management::Outcome<management::TriggerTest> test_trigger(
      std::string_view name, const management::TriggerTestMessage& message,
      Millis timeout) override;
  management::Outcome<> publish(const management::PublishMessage& message, Millis timeout) override;

 private:
  management::Outcome<management::AliasTest> connect(const config::Alias& alias,
                                                     const mqtt::tls::Stores& certificates,
                                                     Millis timeout);
  // [control]
  management::Outcome<> begin(const config::Trigger& trigger, TestMessage& message);
  void end(const std::string& trigger, const std::shared_ptr<TestMessage>& message);

  const Needs needs_;
  unsigned runs_ = 0;                               // [control] of triggers, so far
  std::vector<std::shared_ptr<TestMessage>> hung_;  // [control] a call has not returned
};

}  // namespace triggerd::control
