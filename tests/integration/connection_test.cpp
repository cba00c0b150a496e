// How connections behave towards real and scripted servers: what goes wrong is named, never ends
// the process, and mends itself.
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <set>
#include <string>

#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/port.hpp"
#include "support/scripted_broker.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

class ConnectionTest : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& name = "records") const { return dir_ / name; }
  std::string config(std::uint16_t port, const std::string& alias = {},
                     const std::string& topics = "\"x\"") const {
    return runtime_table() + alias_table("a", port, alias) +
           trigger_table("t", "a", topics, file());
  }

  TempDir dir_;
};

TEST_F(ConnectionTest, AServerThatIsDownAtTheStartIsWaitedFor) {
  MosquittoServer server;
  server.stop();
  TriggerdProcess triggerd(config(server.port()));
  triggerd.start();
  const auto failed = triggerd.wait_for_event("connection.failed", {"alias=a", "trigger=t"});
  ASSERT_TRUE(failed) << triggerd.output();
  EXPECT_NE(failed->text.find(fmt::format("tcp://127.0.0.1:{}: Connection refused", server.port())),
            std::string::npos)
      << failed->text;
  EXPECT_TRUE(triggerd.wait_for_event("trigger.not_running", {"trigger=t", "Connection refused"}));
  server.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  ASSERT_TRUE(TestClient(server.port()).publish("x", "hello"));
  EXPECT_TRUE(wait_for_records(file(), 1));
}

TEST_F(ConnectionTest, AKilledServerComesBackAndMessagesFlowAgain) {
  MosquittoServer server;
  TriggerdProcess triggerd(config(server.port()));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  server.kill();
  ASSERT_TRUE(triggerd.wait_for_event("connection.failed", {"trigger=t"})) << triggerd.output();
  EXPECT_TRUE(triggerd.wait_for_event("runtime.not_ready"));
  const std::size_t before = triggerd.process().line_count();
  server.start();
  ASSERT_TRUE(triggerd.wait_for_event("runtime.ready", {}, before)) << triggerd.output();
  // A server without persistence has forgotten the session, and that is said.
  EXPECT_TRUE(triggerd.wait_for_event("session.lost", {"client_id=client-a.t"}, before));
  ASSERT_TRUE(TestClient(server.port()).publish("x", "hello"));
  EXPECT_TRUE(wait_for_records(file(), 1));
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

TEST_F(ConnectionTest, ALostSessionIsNoticedAcrossARestartOfTheRuntime) {
  MosquittoServer server;
  TriggerdProcess triggerd(config(server.port()));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  EXPECT_EQ(triggerd.output().find("session.lost"), std::string::npos) << "the first is no loss";
  ASSERT_EQ(triggerd.stop(), (Exit{0, 0}));
  server.restart();
  triggerd.start();
  EXPECT_TRUE(triggerd.wait_for_event("session.lost", {"client_id=client-a.t"}))
      << triggerd.output();
}

TEST_F(ConnectionTest, ARefusedLoginIsNamed) {
  MosquittoServer server({.users = {{"edge", "right"}}});
  TriggerdProcess triggerd(config(server.port(), "user_name = \"edge\"\npassword = \"${WRONG}\""),
                           {{"WRONG", "not-the-password"}});
  triggerd.start();
  const auto failed = triggerd.wait_for_event("connection.failed", {"alias=a"});
  ASSERT_TRUE(failed) << triggerd.output();
  EXPECT_NE(failed->text.find("not authorized (return code 5)"), std::string::npos) << failed->text;
  EXPECT_EQ(triggerd.output().find("not-the-password"), std::string::npos);
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

TEST_F(ConnectionTest, UserNameAndPasswordFromAFile) {
  MosquittoServer server({.users = {{"edge", "right"}}});
  TriggerdProcess triggerd(
      config(server.port(), "user_name = \"edge\"\npassword_file = \"secret\""));
  triggerd.dir().write("secret", "right\n");
  triggerd.start();
  EXPECT_TRUE(triggerd.wait_until_running()) << triggerd.output();
}

TEST_F(ConnectionTest, APasswordThatAProgramPrintsIsRenewedWhenItIsRefused) {
  MosquittoServer server({.users = {{"edge", "right"}}});
  TriggerdProcess triggerd(config(server.port(),
                                  "user_name = \"edge\"\npassword_command = [\"sh\", \"-c\", "
                                  "\"echo $0 >> asked; cat printed\", \"{client_id}\"]"));
  triggerd.dir().write("printed", "outdated\n");
  const std::string before = triggerd.check().output;
  EXPECT_NE(before.find("ok: 1 alias"), std::string::npos) << before;
  EXPECT_FALSE(std::filesystem::exists(triggerd.dir() / "asked")) << "a check runs nothing";
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_for_event("connection.failed", {"not authorized (return code 5)"}))
      << triggerd.output();
  triggerd.dir().write("printed", "{\"password\": \"right\", \"expires_in\": 3600}");
  EXPECT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  EXPECT_EQ(triggerd.output().find("outdated"), std::string::npos);

  // The connection of the alias and that of its trigger have each their own.
  std::ifstream in(triggerd.dir() / "asked");
  std::set<std::string> asked;
  for (std::string line; std::getline(in, line);) asked.insert(line);
  EXPECT_EQ(asked, (std::set<std::string>{"client-a", "client-a.t"}));
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

TEST_F(ConnectionTest, AProgramThatPrintsNoPasswordIsAReasonThatIsSeen) {
  MosquittoServer server;
  TriggerdProcess triggerd(config(server.port(),
                                  "user_name = \"edge\"\npassword_command = [\"sh\", \"-c\", "
                                  "\"echo half; echo no ticket >&2; exit 4\"]"));
  triggerd.start();
  EXPECT_TRUE(triggerd.wait_for_event("connection.failed",
                                      {"password_command (sh): exit code 4: no ticket"}))
      << triggerd.output();
  EXPECT_EQ(triggerd.output().find("half"), std::string::npos);
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

TEST_F(ConnectionTest, ALowerQosIsShownAndRuns) {
  MosquittoServer server({.extra_config = "max_qos 1"});
  TriggerdProcess triggerd(config(server.port(), "", "{ filter = \"x\", qos = 2 }"));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  EXPECT_TRUE(triggerd.wait_for_event("subscription.lower_qos",
                                      {"granted QoS 1 instead of 2 for \"x\"", "trigger=t"}))
      << triggerd.output();
}

TEST_F(ConnectionTest, ARefusedSubscriptionIsNamedAskedForAgainAndTheOthersWork) {
  ScriptedBroker broker;
  broker.on(packet::Type::subscribe, grant({1, 0x80}));
  TriggerdProcess triggerd(config(broker.port(), "", "\"good\", \"bad\""));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_for_event("subscription.refused", {"\"bad\"", "trigger=t"}))
      << triggerd.output();
  EXPECT_TRUE(triggerd.wait_for_event("trigger.not_running", {"\"bad\""}));
  const auto first = broker.wait_for<packet::Subscribe>();
  ASSERT_TRUE(first);
  packet::Publish publish;
  publish.topic = "good";
  broker.send(first->connection, Reply().send(publish));
  EXPECT_TRUE(wait_for_records(file(), 1)) << "the granted filter works";
  broker.on(packet::Type::subscribe, grant({1}));
  const auto again = broker.wait_for<packet::Subscribe>(first->index + 1);
  ASSERT_TRUE(again);
  ASSERT_EQ(again->packet.filters.size(), 1U);
  EXPECT_EQ(again->packet.filters[0].filter, "bad");
  EXPECT_TRUE(triggerd.wait_until_running());
}

TEST_F(ConnectionTest, AnOnlyFilterThatIsRefusedIsNamed) {
  ScriptedBroker broker;
  broker.on(packet::Type::subscribe, grant({0x80}));
  TriggerdProcess triggerd(config(broker.port()));
  triggerd.start();
  EXPECT_TRUE(triggerd.wait_for_event("subscription.refused", {"\"x\"", "trigger=t"}))
      << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

TEST_F(ConnectionTest, ATakenClientIdIsNamedAndNotFoughtOver) {
  MosquittoServer server;
  TriggerdProcess triggerd(config(server.port()));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  // Somebody else with the same client id, as stubborn as we are.
  std::size_t from = 0;
  for (int i = 0; i < 3; ++i) {
    const TestClient thief(server.port(), {.client_id = "client-a.t", .clean_session = false});
    const auto failed = triggerd.wait_for_event("connection.failed", {"trigger=t"}, from);
    ASSERT_TRUE(failed) << triggerd.output();
    if (i == 2) break;
    // Up with its subscription: a connection that ends sooner may have other reasons.
    const auto runs = triggerd.wait_for_event("trigger.running", {"trigger=t"}, failed->index + 1);
    ASSERT_TRUE(runs) << triggerd.output();
    from = runs->index + 1;
  }
  EXPECT_TRUE(triggerd.wait_for_event("connection.client_id_taken",
                                      {"another client seems to use client id \"client-a.t\""}))
      << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

// A rolling update, or a crash loop that ends.
TEST_F(ConnectionTest, AServerThatIsRestartedAgainAndAgainIsNotAnotherClient) {
  MosquittoServer server({.persistence = true});
  TriggerdProcess triggerd(config(server.port()));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  for (int i = 0; i < 4; ++i) {
    const std::size_t from = triggerd.process().line_count();
    server.restart();
    for (const char* who : {"trigger=t", "client_id=client-a"}) {
      ASSERT_TRUE(triggerd.wait_for_event("connection.up", {who}, from)) << triggerd.output();
    }
    ASSERT_TRUE(triggerd.wait_for_event("trigger.running", {"trigger=t"}, from))
        << triggerd.output();
  }
  EXPECT_EQ(triggerd.output().find("connection.client_id_taken"), std::string::npos)
      << triggerd.output();
}

// ---- Passwords that change ----

class RotatedPassword : public ConnectionTest {
 protected:
  RotatedPassword() {
    broker_.on(packet::Type::connect, [this](const Received& received) {
      const auto& connect = std::get<packet::Connect>(received.packet);
      MutexLock lock(mutex_);
      const bool good = connect.password == expected_;
      return good ? Reply().send(packet::ConnAck{})
                  : Reply().send(packet::ConnAck{false, 5}).close();
    });
  }
  void expect(const std::string& password) {
    MutexLock lock(mutex_);
    expected_ = password;
  }
  void start(const std::string& path, const std::string& reconnect = {}) {
    triggerd_.emplace(config(broker_.port(), fmt::format("user_name = \"edge\"\n"
                                                         "password_file = \"{}\"\n{}",
                                                         (dir_ / path).string(), reconnect)));
    triggerd_->start();
    ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
  }
  void end_all_connections() {
    for (std::size_t i = 0; i < broker_.connections().size(); ++i) broker_.send(i, Reply().close());
  }
  // Both connections are up again.
  void expect_up(std::size_t from) {
    for (const char* who : {"trigger=t", "client_id=client-a"}) {
      EXPECT_TRUE(triggerd_->wait_for_event("connection.up", {who}, from)) << triggerd_->output();
    }
  }

  Mutex mutex_;
  std::string expected_ TRIGGERD_GUARDED_BY(mutex_) = "one";
  ScriptedBroker broker_;
  std::optional<TriggerdProcess> triggerd_;
};

TEST_F(RotatedPassword, TheNextConnectHasIt) {
  dir_.write("password", "one\n");
  start("password");
  const std::size_t from = triggerd_->process().line_count();
  expect("two");
  std::filesystem::rename(dir_.write("password.new", "two\n"), dir_ / "password");
  end_all_connections();
  expect_up(from);
  EXPECT_EQ(triggerd_->output().find("not authorized"), std::string::npos)
      << "the old one is not tried again";
}

// Kubernetes replaces a link to a folder, and the file itself never changes.
TEST_F(RotatedPassword, AWaitingConnectionSeesAMountedSecretChange) {
  std::filesystem::create_directories(dir_ / "..v1");
  std::filesystem::create_directories(dir_ / "..v2");
  dir_.write("..v1/password", "one\n");
  dir_.write("..v2/password", "two\n");
  std::filesystem::create_symlink("..v1", dir_ / "..data");
  std::filesystem::create_symlink("..data/password", dir_ / "password");
  start("password");
  expect("two");
  end_all_connections();
  ASSERT_TRUE(triggerd_->wait_for_event("connection.failed", {"not authorized", "trigger=t"}))
      << triggerd_->output();
  const std::size_t from = triggerd_->process().line_count();
  std::filesystem::create_symlink("..v2", dir_ / "..new");
  std::filesystem::rename(dir_ / "..new", dir_ / "..data");
  expect_up(from);
}

TEST_F(ConnectionTest, ServersAreTriedInOrderAndFromTheFirstAgain) {
  MosquittoServer second;
  const ReservedPort nobody;
  TriggerdProcess triggerd(
      runtime_table() +
      fmt::format("[aliases.a]\nhosts = [\"tcp://127.0.0.1:{}\", \"mqtt://localhost:{}\"]\n"
                  "reconnect = {{ min = \"50ms\", max = \"300ms\" }}\n",
                  nobody.number(), second.port()) +
      trigger_table("t", "a", "\"x\"", file()));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  EXPECT_TRUE(triggerd.wait_for_event(
      "connection.up", {fmt::format("connected to tcp://localhost:{}", second.port())}))
      << triggerd.output();
  second.stop();
  // Both are named, in their order, round after round.
  EXPECT_TRUE(triggerd.process().wait_for_match(
      fmt::format("connection.failed .*:{}: Connection refused; .*:{}: Connection refused",
                  nobody.number(), second.port())))
      << triggerd.output();
}

TEST_F(ConnectionTest, AConnackThatNeverComesIsATimeout) {
  ScriptedBroker broker;
  broker.on(packet::Type::connect, [](const Received&) { return Reply(); });
  TriggerdProcess triggerd(config(broker.port(), "connection_timeout = \"1s\""));
  triggerd.start();
  EXPECT_TRUE(triggerd.wait_for_event("connection.failed",
                                      {"no CONNACK within connection_timeout (1s)", "trigger=t"}))
      << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();
}

TEST_F(ConnectionTest, WithoutATimeoutALateConnackIsStillWelcome) {
  ScriptedBroker broker;
  broker.on(packet::Type::connect,
            [](const Received&) { return Reply().wait(Millis(1'500)).send(packet::ConnAck{}); });
  TriggerdProcess triggerd(config(broker.port(), "connection_timeout = 0"));
  triggerd.start();
  EXPECT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  EXPECT_EQ(triggerd.output().find("connection.failed"), std::string::npos) << triggerd.output();
}

TEST_F(ConnectionTest, AServerThatClosesBeforeConnackIsNamed) {
  ScriptedBroker broker;
  broker.on(packet::Type::connect, [](const Received&) { return Reply().close(); });
  TriggerdProcess triggerd(config(broker.port()));
  triggerd.start();
  EXPECT_TRUE(triggerd.wait_for_event("connection.failed",
                                      {"the server closed the connection before CONNACK"}))
      << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

TEST_F(ConnectionTest, AServerThatTalksNonsenseIsLeftAndTheProcessLives) {
  ScriptedBroker broker;
  broker.on(packet::Type::connect, [](const Received&) {
    return Reply().send(std::string("\xff\xff\xff\xff\xff\xff HTTP/1.1 400 Bad Request\r\n\r\n"));
  });
  TriggerdProcess triggerd(config(broker.port(), "connection_timeout = \"1s\""));
  triggerd.start();
  EXPECT_TRUE(triggerd.wait_for_event("connection.failed", {"trigger=t"})) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

TEST_F(ConnectionTest, ANameThatDoesNotExistIsNamed) {
  TriggerdProcess triggerd(
      runtime_table() +
      "[aliases.a]\nhost = \"tcp://no-such-host.invalid:1883\"\nclient_id = \"c\"\n" +
      trigger_table("t", "a", "\"x\"", file()));
  triggerd.start();
  EXPECT_TRUE(triggerd.wait_for_event("connection.failed",
                                      {"cannot look up host \"no-such-host.invalid\""}))
      << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

TEST_F(ConnectionTest, WebSocketCarriesMessagesToo) {
  MosquittoServer server({.websockets = true});
  TriggerdProcess triggerd(
      runtime_table() +
      fmt::format("[aliases.a]\nhost = \"ws://localhost:{}/mqtt\"\n", server.websocket_port()) +
      trigger_table("t", "a", "{ filter = \"x\", qos = 2 }", file()));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server.port());
  for (int qos = 0; qos <= 2; ++qos) {
    ASSERT_TRUE(client.publish("x", std::string(50'000, 'x'), qos));
  }
  EXPECT_TRUE(wait_for_records(file(), 3));
}

// The server sends the second message once it has the acknowledgement of the first.
TEST_F(ConnectionTest, AcknowledgementsAreHeldOnAWebSocketToo) {
  for (const int qos : {1, 2}) {
    MosquittoServer server({.websockets = true, .extra_config = "max_inflight_messages 1"});
    const auto records_file = file(fmt::format("qos-{}", qos));
    TriggerdProcess triggerd(
        runtime_table() +
        fmt::format("[aliases.a]\nhost = \"ws://localhost:{}/mqtt\"\n", server.websocket_port()) +
        trigger_table("t", "a", "{ filter = \"x\", qos = 2 }", records_file,
                      "acknowledge = \"finished\"\nconcurrency = 2\norder = \"none\"",
                      "mode = \"payload-delay\""));
    triggerd.start();
    ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
    TestClient client(server.port());
    ASSERT_TRUE(client.publish("x", "500", qos));
    ASSERT_TRUE(client.publish("x", "1", qos));
    ASSERT_TRUE(wait_for_records(records_file, 2)) << triggerd.output();
    std::vector<std::string> calls;
    std::ifstream in(records_file);
    for (std::string what, rest; in >> what && std::getline(in, rest);) calls.push_back(what);
    EXPECT_EQ(calls, (std::vector<std::string>{"begin", "end", "begin", "end"})) << "QoS " << qos;
  }
}

TEST_F(ConnectionTest, StaleFiltersAreUnsubscribedOnTheNextConnect) {
  MosquittoServer server;
  TriggerdProcess triggerd(config(server.port(), "", "\"keep\", \"drop\""));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  ASSERT_EQ(triggerd.stop(), (Exit{0, 0}));
  triggerd.write_config(config(server.port(), "", "\"keep\", \"new\""));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  EXPECT_TRUE(triggerd.wait_for_event("subscription.dropped", {"\"drop\""})) << triggerd.output();
  TestClient client(server.port());
  for (const char* topic : {"keep", "drop", "new"}) ASSERT_TRUE(client.publish(topic, "x"));
  ASSERT_TRUE(wait_for_records(file(), 2));
  const auto got = records(file());
  EXPECT_EQ(got[0].topic, "keep");
  EXPECT_EQ(got[1].topic, "new");
}

TEST_F(ConnectionTest, AGeneratedClientIdIsKept) {
  ScriptedBroker broker;
  TriggerdProcess triggerd(
      runtime_table() + fmt::format("[aliases.a]\nhost = \"tcp://127.0.0.1:{}\"\n", broker.port()) +
      trigger_table("t", "a", "\"x\"", file()));
  const auto of_trigger = [](const packet::Connect& c) { return c.client_id.ends_with(".t"); };
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  ASSERT_EQ(triggerd.stop(), (Exit{0, 0}));
  const auto first = broker.wait_for<packet::Connect>(of_trigger);
  const std::size_t from = broker.packets().size();
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  const auto second = broker.wait_for<packet::Connect>(of_trigger, from);
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(first->packet.client_id.starts_with("triggerd-"));
  EXPECT_EQ(first->packet.client_id, second->packet.client_id);
  EXPECT_FALSE(first->packet.clean_session);
}

TEST_F(ConnectionTest, TheAliasConnectionCarriesTheWillAndKeepAlive) {
  ScriptedBroker broker;
  TriggerdProcess triggerd(config(broker.port(), R"(keep_alive = "17s"
last_will = { topic = "state", qos = 2, retained = true, payload = "lost" })"));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  const auto alias = broker.wait_for<packet::Connect>(
      [](const packet::Connect& connect) { return connect.client_id == "client-a"; });
  const auto trigger = broker.wait_for<packet::Connect>(
      [](const packet::Connect& connect) { return connect.client_id == "client-a.t"; });
  ASSERT_TRUE(alias && trigger);
  EXPECT_EQ(alias->packet.keep_alive, 17);
  EXPECT_EQ(trigger->packet.keep_alive, 17);
  ASSERT_TRUE(alias->packet.will);
  EXPECT_EQ(alias->packet.will->topic, "state");
  EXPECT_EQ(alias->packet.will->payload, "lost");
  EXPECT_EQ(alias->packet.will->qos, 2);
  EXPECT_TRUE(alias->packet.will->retain);
  EXPECT_FALSE(trigger->packet.will);
}

class PresenceTest : public ConnectionTest {
 protected:
  static constexpr const char* kWill =
      "last_will = { topic = \"state\", payload = \"lost\", on_connect_payload = \"up\", "
      "on_disconnect_payload = \"down\" }";
};

TEST_F(PresenceTest, UpThenDownWhereItStopsByItself) {
  MosquittoServer server;
  TestClient watcher(server.port());
  ASSERT_TRUE(watcher.subscribe("state"));
  TriggerdProcess triggerd(config(server.port(), kWill));
  triggerd.start();
  ASSERT_TRUE(watcher.wait_for_count(1));
  ASSERT_TRUE(triggerd.wait_until_running());
  ASSERT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();
  ASSERT_TRUE(watcher.wait_for_count(2));
  EXPECT_EQ(watcher.messages()[0].payload, "up");
  EXPECT_EQ(watcher.messages()[1].payload, "down");
  EXPECT_EQ(watcher.messages().size(), 2U) << "no will after a goodbye";
}

TEST_F(PresenceTest, LostWhereItIsKilled) {
  MosquittoServer server;
  TestClient watcher(server.port());
  ASSERT_TRUE(watcher.subscribe("state"));
  TriggerdProcess triggerd(config(server.port(), kWill));
  triggerd.start();
  ASSERT_TRUE(watcher.wait_for_count(1));
  triggerd.kill();
  ASSERT_TRUE(watcher.wait_for_count(2));
  EXPECT_EQ(watcher.messages()[1].payload, "lost");
}

}  // namespace
}  // namespace triggerd::test
