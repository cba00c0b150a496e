// MQTT 5 against a real server and against a scripted one: properties in and out, expiry, what the
// server says when it refuses, shared subscriptions.
#include <gtest/gtest.h>

#include "integration/acknowledge_fixture.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/process.hpp"

namespace triggerd::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kV5 = "protocol = \"5\"\n";

// ---- Against mosquitto ----

class Mqtt5ServerTest : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& name = "records") const { return dir_ / name; }
  void start(const std::string& config) {
    triggerd_.emplace(runtime_table() + config);
    triggerd_->start();
    ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
  }
  // Publishes with properties of MQTT 5, which the test client does not know.
  void publish(std::vector<std::string> arguments) {
    std::vector<std::string> command{"/usr/bin/mosquitto_pub",       "-h", "127.0.0.1", "-p",
                                     std::to_string(server_.port()), "-V", "5"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    Process process(command);
    ASSERT_EQ(process.wait(kPatience), Exit{0}) << process.output();
  }
  void TearDown() override {
    if (HasFailure() && triggerd_) ADD_FAILURE() << triggerd_->output();
  }

  TempDir dir_;
  MosquittoServer server_;
  std::optional<TriggerdProcess> triggerd_;
};

TEST_F(Mqtt5ServerTest, MessagesOfEveryQosComeAndTheSessionIsKept) {
  start(alias_table("a", server_.port(), kV5) +
        trigger_table("t", "a", "{ filter = \"x/#\", qos = 2 }", file()));
  TestClient client(server_.port());
  for (int qos = 0; qos <= 2; ++qos) ASSERT_TRUE(client.publish("x/y", std::to_string(qos), qos));
  ASSERT_TRUE(wait_for_records(file(), 3));
  ASSERT_TRUE(triggerd_->stop());
  ASSERT_TRUE(client.publish("x/y", "meanwhile", 2));
  triggerd_->start();
  ASSERT_TRUE(wait_for_records(file(), 4));
  EXPECT_TRUE(triggerd_->wait_for_event("connection.up", {"session resumed", "trigger=t"}));
  std::vector<unsigned> qos;
  for (const Record& record : records(file())) qos.push_back(record.qos);
  EXPECT_EQ(qos, (std::vector<unsigned>{0, 1, 2, 2}));
}

TEST_F(Mqtt5ServerTest, MessagesOfEveryQosComeOverAWebSocket) {
  MosquittoServer server({.websockets = true});
  start(fmt::format("[aliases.a]\nhost = \"ws://127.0.0.1:{}\"\nprotocol = \"5\"\n",
                    server.websocket_port()) +
        trigger_table("t", "a", "{ filter = \"x\", qos = 2 }", file()));
  TestClient client(server.port());
  for (int i = 0; i < 30; ++i) client.publish_later("x", std::to_string(i), i % 3);
  ASSERT_TRUE(client.wait_published());
  EXPECT_TRUE(wait_for_records(file(), 30));
}

TEST_F(Mqtt5ServerTest, PropertiesReachTheServiceAlsoAfterARestart) {
  const std::string config = alias_table("a", server_.port(), kV5) +
                             trigger_table("t", "a", "\"x\"", file(),
                                           "service = \"recorder:misbehave\"\ntimeout = \"1h\"\n",
                                           "mode = \"properties-hang\"");
  start(config);
  publish({"-t",
           "x",
           "-m",
           "1",
           "-q",
           "1",
           "-D",
           "publish",
           "user-property",
           "k",
           "1",
           "-D",
           "publish",
           "user-property",
           "k",
           "2",
           "-D",
           "publish",
           "content-type",
           "text/plain",
           "-D",
           "publish",
           "response-topic",
           "back",
           "-D",
           "publish",
           "correlation-data",
           "id-7"});
  const auto seen = [this](std::size_t count) {
    return eventually([&] { return records(file(), "properties").size() >= count; });
  };
  ASSERT_TRUE(seen(1));
  ASSERT_TRUE(eventually([&] { return rows(*triggerd_, "message") == 1; }));
  triggerd_->kill();
  triggerd_->start();
  ASSERT_TRUE(seen(2)) << triggerd_->output();
  const auto all = records(file(), "properties");
  // The server may order those of different kinds as it likes; user properties stay in order.
  EXPECT_NE(all[0].topic.find("26:k=1,26:k=2"), std::string::npos) << all[0].topic;
  for (const char* part : {"3:=text/plain", "8:=back", "9:=id-7"}) {
    EXPECT_NE(all[0].topic.find(part), std::string::npos) << all[0].topic;
  }
  EXPECT_EQ(all[0].topic, all[1].topic) << "and they survive the restart as they were";
}

TEST_F(Mqtt5ServerTest, ATraceGoesOnInWhatTheServicePublishesAndInTheLog) {
  const std::string alias = alias_table("a", server_.port(), kV5);
  start("[log]\nlevel = \"debug\"\n" + alias +
        "[[triggers]]\nname = \"t\"\nalias = \"a\"\ntopics = [\"x\"]\nservice = \"republish\"\n"
        "[triggers.settings]\ntopic = \"y\"\n");
  Process subscriber({"/usr/bin/mosquitto_sub", "-h", "127.0.0.1", "-p",
                      std::to_string(server_.port()), "-V", "5", "-t", "y", "-t", "ready", "-F",
                      "%t [%P] %p"});
  ASSERT_TRUE(eventually([&] {
    publish({"-t", "ready", "-n"});
    return subscriber.output().find("ready") != std::string::npos;
  }));
  publish({"-t", "x", "-m", "plain", "-q", "1"});
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  publish({"-t",
           "x",
           "-m",
           "traced",
           "-q",
           "1",
           "-D",
           "publish",
           "user-property",
           "traceparent",
           "00-" + trace + "-b7ad6b7169203331-01",
           "-D",
           "publish",
           "user-property",
           "tracestate",
           "a=1",
           "-D",
           "publish",
           "user-property",
           "other",
           "stays"});
  EXPECT_TRUE(eventually([&] {
    return subscriber.output().find("y [traceparent:00-" + trace +
                                    "-b7ad6b7169203331-01 tracestate:a=1] traced") !=
           std::string::npos;
  })) << subscriber.output();
  EXPECT_NE(subscriber.output().find("y [] plain"), std::string::npos) << subscriber.output();
  EXPECT_TRUE(triggerd_->wait_for_event("message.ok", {"trace_id=" + trace}));
}

TEST_F(Mqtt5ServerTest, AnExpiredMessageIsFinishedWithoutTheService) {
  const std::string config =
      alias_table("a", server_.port(), kV5) +
      trigger_table("t", "a", "\"x\"", file(),
                    "service = \"recorder:misbehave\"\ntimeout = \"1h\"\n", "mode = \"hang\"");
  start(config);
  publish({"-t", "x", "-m", "first", "-q", "1"});
  publish(
      {"-t", "x", "-m", "short-lived", "-q", "1", "-D", "publish", "message-expiry-interval", "1"});
  ASSERT_TRUE(eventually([&] { return rows(*triggerd_, "message") == 2; }));
  triggerd_->kill();
  triggerd_->write_config(runtime_table() + alias_table("a", server_.port(), kV5) +
                          trigger_table("t", "a", "\"x\"", file()));
  ASSERT_TRUE(eventually(
      [&] { return rows(*triggerd_, "message WHERE expires_ms < unixepoch() * 1000") == 1; }));
  triggerd_->start();
  ASSERT_TRUE(triggerd_->wait_for_event("message.expired", {"\"x\"", "trigger=t"}));
  ASSERT_TRUE(wait_for_records(file(), 1));
  EXPECT_EQ(records(file(), "end")[0].hash, fnv1a("first"));
  EXPECT_TRUE(eventually([&] { return rows(*triggerd_, "message") == 0; }));
}

TEST_F(Mqtt5ServerTest, AServiceAnswersARequest) {
  start(alias_table("a", server_.port(), kV5) + trigger_table("t", "a", "\"question\"", file(),
                                                              "service = \"recorder:misbehave\"\n",
                                                              "mode = \"reply\""));
  Process asker({"/usr/bin/mosquitto_rr",
                 "-h",
                 "127.0.0.1",
                 "-p",
                 std::to_string(server_.port()),
                 "-V",
                 "5",
                 "-t",
                 "question",
                 "-e",
                 "answers/7",
                 "-m",
                 "21",
                 "-q",
                 "1",
                 "-D",
                 "publish",
                 "correlation-data",
                 "id-7",
                 "-F",
                 "%p %D"});
  ASSERT_EQ(asker.wait(kPatience), Exit{0}) << asker.output();
  EXPECT_NE(asker.output().find("answer to 21 id-7"), std::string::npos) << asker.output();
}

TEST_F(Mqtt5ServerTest, TwoRuntimesOfAGroupShareTheWork) {
  for (const char* protocol : {"3.1.1", "5"}) {
    SCOPED_TRACE(protocol);
    const std::string group = std::string("group-") + protocol[0];
    const auto config = [&](const std::string& name) {
      const std::string alias = fmt::format(
          "[aliases.a]\nhost = \"tcp://127.0.0.1:{}\"\nclient_id = \"{}-{}\"\nprotocol = \"{}\"\n",
          server_.port(), name, protocol[0], protocol);
      return runtime_table() + alias +
             trigger_table("t", "a", "\"work/+\"", file(name + protocol),
                           fmt::format("shared_group = \"{}\"\norder = \"topic\"\n", group));
    };
    TriggerdProcess one(config("one"));
    TriggerdProcess two(config("two"));
    one.start();
    two.start();
    ASSERT_TRUE(one.wait_until_running()) << one.output();
    ASSERT_TRUE(two.wait_until_running()) << two.output();
    TestClient client(server_.port());
    for (int i = 0; i < 100; ++i) client.publish_later("work/" + std::to_string(i % 3), "x", 1);
    ASSERT_TRUE(client.wait_published());
    const auto count = [&](const std::string& name) {
      return records(file(name + protocol), "end").size();
    };
    EXPECT_TRUE(eventually([&] { return count("one") + count("two") >= 100; }));
    EXPECT_EQ(count("one") + count("two"), 100U) << "each message went to one of them";
    EXPECT_GT(count("one"), 0U);
    EXPECT_GT(count("two"), 0U);
    EXPECT_EQ(records(file("one" + std::string(protocol)))[0].topic.substr(0, 5), "work/")
        << "messages come on their plain topic";
    ASSERT_TRUE(one.stop());
    ASSERT_TRUE(two.stop());
  }
}

TEST_F(Mqtt5ServerTest, AWindowOfOneLetsEverythingThrough) {
  start(alias_table("a", server_.port(), std::string(kV5) + "receive_maximum = 1\n") +
        trigger_table("t", "a", "{ filter = \"x\", qos = 2 }", file()));
  TestClient client(server_.port());
  for (int i = 0; i < 60; ++i) client.publish_later("x", std::to_string(i), 1 + i % 2);
  ASSERT_TRUE(client.wait_published());
  ASSERT_TRUE(wait_for_records(file(), 60));
  EXPECT_EQ(records(file()).size(), 60U);
}

TEST_F(Mqtt5ServerTest, OptionsOfAFilterDecideWhatComes) {
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("kept/1", "retained", 1, true));
  start(alias_table("a", server_.port(), kV5) +
        trigger_table("never", "a", "{ filter = \"kept/#\", retain_handling = \"never\" }",
                      file("never")) +
        trigger_table("flagged", "a",
                      "{ filter = \"kept/#\", retain_as_published = true, subscription_id = 7 }",
                      file("flagged"), "service = \"recorder:misbehave\"\n",
                      "mode = \"properties\""));
  ASSERT_TRUE(client.publish("kept/2", "live", 1, true));
  ASSERT_TRUE(eventually([&] { return records(file("flagged"), "properties").size() >= 2; }));
  ASSERT_TRUE(wait_for_records(file("never"), 1));
  EXPECT_EQ(records(file("never"))[0].topic, "kept/2");
  EXPECT_FALSE(records(file("never"))[0].retain);
  for (const Record& record : records(file("flagged"))) EXPECT_TRUE(record.retain) << record.topic;
  for (const Record& record : records(file("flagged"), "properties")) {
    EXPECT_NE(record.topic.find("b:7"), std::string::npos) << record.topic;
  }
}

// ---- Against a scripted server ----

class Mqtt5Test : public AcknowledgeFixture {
 protected:
  Mqtt5Test() { alias_keys_ = kV5; }
  std::optional<packet::Connect> connect_of(const std::string& client_id) {
    const auto found = broker_.wait_for<packet::Connect>(
        [&](const packet::Connect& connect) { return connect.client_id == client_id; });
    return found ? std::optional(found->packet) : std::nullopt;
  }
};

TEST_F(Mqtt5Test, ConnectSaysWhatIsWanted) {
  alias_keys_ +=
      "session_expiry = \"1h\"\nreceive_maximum = 10\nmax_packet_size = \"64KiB\"\n"
      "[aliases.a.last_will]\ntopic = \"state\"\npayload = \"lost\"\nqos = 2\nretained = true\n";
  start("");
  const auto connect = connect_of("client-a.t");
  ASSERT_TRUE(connect);
  EXPECT_EQ(connect->level, packet::k5);
  EXPECT_FALSE(connect->clean_session);
  EXPECT_EQ(connect->properties, packet::u32_property(0x11, 3600) + packet::u16_property(0x21, 10) +
                                     packet::u32_property(0x27, 65'536) +
                                     packet::u16_property(0x22, 32));
  const auto own = connect_of("client-a");
  ASSERT_TRUE(own);
  EXPECT_TRUE(own->clean_session);
  EXPECT_EQ(own->properties, packet::u16_property(0x21, 10) + packet::u32_property(0x27, 65'536))
      << "no session, and no messages";
  EXPECT_EQ(own->will, (packet::Will{"state", "lost", 2, true}));
}

TEST_F(Mqtt5Test, ATopicAliasIsResolved) {
  start("");
  packet::Publish first = publish(1, 1, "one");
  first.topic = "plant/1";
  first.properties = packet::u16_property(0x23, 5) + packet::user_property("k", "v");
  send(first);
  packet::Publish second = publish(2, 2, "two");
  second.topic = "";
  second.properties = packet::u16_property(0x23, 5);
  send(second);
  ASSERT_TRUE(answered<packet::PubAck>(1));
  ASSERT_TRUE(answered<packet::PubRec>(2));
  ASSERT_TRUE(wait_for_records(file(), 2));
  EXPECT_EQ(records(file())[0].topic, "plant/1");
  EXPECT_EQ(records(file())[1].topic, "plant/1");
  drop_connection();  // aliases are of the connection
  send(packet::PubRel{2});
  ASSERT_TRUE(answered<packet::PubComp>(2));
  // What it is about is not known, and so it is not acknowledged.
  second.packet_id = 4;
  send(second);
  EXPECT_TRUE(broker_.wait_for<packet::Disconnect>(
      [](const packet::Disconnect& last) { return last.reason == 0x94; }, from_));
  EXPECT_TRUE(triggerd_->wait_for_event("connection.failed", {"topic alias 5", "trigger=t"}));
  EXPECT_FALSE(answered<packet::PubRec>(4, Millis(1)));
  EXPECT_EQ(records(file()).size(), 2U);
}

TEST_F(Mqtt5Test, TheServersReasonsAreInTheLog) {
  start("");
  broker_.on(packet::Type::connect, [](const Received&) {
    return Reply()
        .send(packet::ConnAck{false, 0x87, packet::text_property(0x1f, "ask the office")})
        .close();
  });
  broker_.send(
      connection_,
      Reply().send(packet::Disconnect{0x8b, packet::text_property(0x1f, "until six")}).close());
  EXPECT_TRUE(triggerd_->wait_for_event(
      "connection.failed",
      {"the server is shutting down (reason code 0x8b): \"until six\"", "trigger=t"}));
  EXPECT_TRUE(triggerd_->wait_for_event("connection.failed",
                                        {"not authorized (reason code 0x87)", "trigger=t"}));
  // Only below the library there is the reason string of a refusal.
  EXPECT_TRUE(triggerd_->wait_for_event("connection.failed", {"\"ask the office\""}));
}

TEST_F(Mqtt5Test, ASessionTakenOverIsNamedAtOnce) {
  start("");
  broker_.send(connection_, Reply().send(packet::Disconnect{0x8e}).close());
  EXPECT_TRUE(triggerd_->wait_for_event("connection.client_id_taken", {"0x8e", "trigger=t"}));
  wait_for_subscription();  // later, but it does try again
  send(publish(1, 1, "one"));
  EXPECT_TRUE(answered<packet::PubAck>(1));
}

TEST_F(Mqtt5Test, ARefusedFilterIsToldWithItsReason) {
  broker_.on(packet::Type::subscribe, [](const Received& received) {
    const auto& subscribe = std::get<packet::Subscribe>(received.packet);
    return Reply().send(
        packet::SubAck{subscribe.packet_id, {0x87}, packet::text_property(0x1f, "not you")});
  });
  start("");
  EXPECT_TRUE(triggerd_->wait_for_event(
      "subscription.refused", {"not authorized (reason code 0x87): \"not you\"", "trigger=t"}));
}

// The alias's connection says why a publish was refused, and the service hears it.
TEST_F(Mqtt5Test, APublishThatTheServerRefusesIsToldToTheService) {
  broker_.on(packet::Type::publish, [](const Received& received) {
    const auto& publish = std::get<packet::Publish>(received.packet);
    return Reply().send(
        packet::PubAck{publish.packet_id, 0x97, packet::text_property(0x1f, "ten a day")});
  });
  start("service = \"recorder:misbehave\"\n", "mode = \"publish\"");
  ASSERT_TRUE(triggerd_->wait_until_running());  // the alias's own connection too
  send(publish(1, 1, "one"));
  EXPECT_TRUE(triggerd_->wait_for_event(
      "plugin.log",
      {"published: -1 a quota is exceeded (reason code 0x97): \"ten a day\"", "trigger=t"}))
      << triggerd_->output();
}

TEST_F(Mqtt5Test, WhatTheServerDoesNotTakeIsNotSent) {
  broker_.on(packet::Type::connect, [](const Received&) {
    return Reply().send(packet::ConnAck{false, 0, packet::byte_property(0x24, 0)});
  });
  start("service = \"recorder:misbehave\"\n", "mode = \"publish\"");
  ASSERT_TRUE(triggerd_->wait_until_running());  // the alias's own connection too
  send(publish(1, 1, "one"));
  EXPECT_TRUE(triggerd_->wait_for_event(
      "plugin.log", {"published: -2 the server does not support QoS 1, only up to 0"}));
  EXPECT_TRUE(triggerd_->wait_for_event(
      "publish.refused", {"the server does not support QoS 1, only up to 0", "alias=a"}))
      << triggerd_->output();
  for (const Received& received : broker_.packets()) {
    EXPECT_NE(packet::type_of(received.packet), packet::Type::publish);
  }
}

}  // namespace
}  // namespace triggerd::test
