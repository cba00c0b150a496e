// The parts of a runtime without sockets, threads and plugins: connections are between fakes, the
// inbox is in a temporary folder, and the test turns the clock and the loops.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "control/members/certificate_rotation.hpp"
#include "control/members/client_ids.hpp"
#include "control/members/inbox_health.hpp"
#include "control/members/member_factory.hpp"
#include "control/members/readiness.hpp"
#include "control/members/session_terminator.hpp"
#include "control/plugins/plugin_reloader.hpp"
#include "control/plugins/plugin_set.hpp"
#include "control/plugins/running_triggers.hpp"
#include "control/running/control_thread.hpp"
#include "control/running/registry.hpp"
#include "inbox/inbox.hpp"
#include "inbox/writer.hpp"
#include "support/capture_log.hpp"
#include "support/fake_clock.hpp"
#include "support/temp_dir.hpp"
#include "trigger/publisher.hpp"
#include "unit/mqtt/session/fakes.hpp"

namespace triggerd::control::test {

using triggerd::test::CaptureLog;
using triggerd::test::FakeClock;
using triggerd::test::TempDir;

inline config::Alias alias_named(const std::string& name, const std::string& host = "one") {
  config::Alias alias;
  alias.name = name;
  alias.client_id = "id-" + name;
  alias.servers = {{.host = host}};
  return alias;
}

inline config::Trigger trigger_named(const std::string& name, const std::string& alias) {
  config::Trigger trigger;
  trigger.name = name;
  trigger.alias = alias;
  trigger.topics = {{"t"}};
  trigger.plugin = "nothing";
  return trigger;
}

inline ConfigPtr shared(config::Config config) {
  return std::make_shared<const config::Config>(std::move(config));
}

class Parts : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = inbox::Inbox::open(dir_ / "inbox.db");
    ASSERT_TRUE(opened);
    inbox_ = std::move(*opened);
    writer_ = std::make_unique<inbox::Writer>(*inbox_, inbox::Writer::Options{},
                                              [](const std::optional<std::string>&) {});
    client_ids_ = std::make_unique<ClientIds>(inbox_->sessions());
    outboxes_ = std::make_unique<outbox::Outboxes>(outbox::OutboxNeeds{
        .stored = inbox_->outgoing(), .writer = *writer_, .supervisor = supervisor_, .log = log_});
    factory_ = std::make_unique<MemberFactory>(MemberFactory::Needs{.registry = registry_,
                                                                    .control = control_,
                                                                    .plugins = plugins_,
                                                                    .certificates = certificates_,
                                                                    .client_ids = *client_ids_,
                                                                    .readiness = readiness_,
                                                                    .connections = connections_,
                                                                    .timer = timer_,
                                                                    .inbox = *inbox_,
                                                                    .writer = *writer_,
                                                                    .publisher = publisher_,
                                                                    .outboxes = *outboxes_,
                                                                    .ids = ids_,
                                                                    .log = log_,
                                                                    .events = events_,
                                                                    .deaths = nullptr});
  }
  void TearDown() override {
    registry_.change([](Running& running) { running.aliases.clear(); });
  }

  SessionTerminator::Needs terminator_needs() {
    return {.registry = registry_,
            .stored = inbox_->sessions(),
            .client_ids = *client_ids_,
            .certificates = certificates_,
            .connections = connections_,
            .supervisor = *supervisor_,
            .clock = system_clock(),
            .log = log_};
  }

  void run(const ConfigPtr& config) {
    registry_.change([&](Running& running) {
      running.config = config;
      running.failures = PackageFailures(config);
    });
    plugins_.use(config);
  }
  // An alias whose connection is open, but not up.
  AliasPtr take_in(const config::Alias& alias) {
    AliasPtr made = factory_->make_alias(alias).value();
    registry_.change([&](Running& running) { running.aliases.add(made); });
    made->open();
    supervisor_->run_due();
    return made;
  }
  // The server of the connection that was opened last answers.
  void connected() {
    asked_.events->on_connected(asked_.attempt(), {.session_present = false});
    supervisor_->run_due();
  }

  TempDir dir_;
  FakeClock clock_;
  CaptureLog log_;
  const std::shared_ptr<EventLoop> supervisor_ = std::make_shared<EventLoop>(clock_);
  EventLoop timer_{clock_};
  ControlThread control_{clock_};
  Registry registry_{shared({})};
  mqtt::test::Asked asked_;
  mqtt::test::FakeResolver resolver_;
  mqtt::test::FakePasswordCommands password_commands_;
  mqtt::test::FakeSessions session_memory_;
  const mqtt::ConnectionServices connections_{
      .supervisor = supervisor_,
      .resolver = resolver_,
      .password_commands = password_commands_,
      .make_client = [this](const mqtt::ConnectionOptions& options, mqtt::MessageListener& messages,
                            mqtt::ClientEvents& events) -> Result<std::unique_ptr<mqtt::Client>> {
        made_.push_back(options);
        asked_.messages = &messages;
        asked_.events = &events;
        if (make_client_) return make_client_(events);
        return std::make_unique<mqtt::test::FakeClient>(asked_);
      },
      .sessions = session_memory_,
      .random = [] { return 1.0; },
      .log = log_};
  // Empty: the client does nothing but write down what it is asked for.
  std::function<Result<std::unique_ptr<mqtt::Client>>(mqtt::ClientEvents& events)> make_client_;
  std::vector<mqtt::ConnectionOptions> made_;  // connections, in order
  CertificateRotation certificates_{clock_, log_};
  PluginSet plugins_{registry_.config(), dir_ / "plugins", log_, {}};
  RunningTriggers plugin_users_{registry_};
  PluginReloader plugin_reloader_{plugins_, plugin_users_, control_, {}, log_};
  InboxHealth inbox_health_{registry_, log_};
  Readiness readiness_{registry_, inbox_health_, control_, log_};
  management::EventBus events_{clock_};
  dispatch::MessageIds ids_;
  trigger::Publisher publisher_;
  std::unique_ptr<inbox::Inbox> inbox_;
  std::unique_ptr<inbox::Writer> writer_;
  std::unique_ptr<outbox::Outboxes> outboxes_;
  std::unique_ptr<ClientIds> client_ids_;
  std::unique_ptr<MemberFactory> factory_;
};

}  // namespace triggerd::control::test
