// The test support itself, against a real mosquitto: what it claims to show has to be so.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/scripted_broker.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

MosquittoOptions with_persistence() {
  MosquittoOptions options;
  options.persistence = true;
  return options;
}

TEST(MosquittoServer, CarriesMessagesOfEveryQos) {
  const MosquittoServer server;
  TestClient subscriber(server.port());
  EXPECT_EQ(subscriber.subscribe("plant/#", 2), 2);
  TestClient publisher(server.port());
  const std::string binary("\0\xff\n\0", 4);
  const std::string large(1 << 20, 'x');
  const std::vector<Message> sent = {{"plant/a", "zero", 0, false},
                                     {"plant/b", binary, 1, false},
                                     {"plant/c", "", 2, false},
                                     {"plant/d", large, 1, false}};
  for (const Message& message : sent) {
    EXPECT_TRUE(publisher.publish(message.topic, message.payload, message.qos));
    const auto received = subscriber.wait_for_topic(message.topic);
    ASSERT_TRUE(received);
    EXPECT_EQ(*received, message);
  }
  EXPECT_TRUE(subscriber.unsubscribe("plant/#"));
  EXPECT_TRUE(publisher.publish("plant/e", "unheard"));
  EXPECT_FALSE(subscriber.wait_for_topic("plant/e", 0, Millis(50)));
  EXPECT_EQ(subscriber.messages(), sent);
}

TEST(MosquittoServer, KeepsARetainedMessage) {
  const MosquittoServer server;
  TestClient publisher(server.port());
  EXPECT_TRUE(publisher.publish("state", "up", 1, true));
  EXPECT_TRUE(publisher.publish("event", "gone", 1, false));
  TestClient subscriber(server.port());
  EXPECT_EQ(subscriber.subscribe("#", 1), 1);
  const auto message = subscriber.wait_for_topic("state");
  ASSERT_TRUE(message);
  EXPECT_EQ(*message, (Message{"state", "up", 1, true}));
  EXPECT_EQ(subscriber.messages().size(), 1U);
}

TEST(MosquittoServer, PublishesTheWillOfAClientThatDropsOnly) {
  const MosquittoServer server;
  TestClient watcher(server.port());
  EXPECT_EQ(watcher.subscribe("state/#"), 1);
  ClientOptions options;
  options.will = Message{"state/dropped", "lost", 1, false};
  TestClient dropped(server.port(), options);
  options.will = Message{"state/polite", "lost", 1, false};
  TestClient polite(server.port(), options);
  polite.disconnect();
  EXPECT_FALSE(polite.connected());
  dropped.drop();
  const auto will = watcher.wait_for_topic("state/dropped");
  ASSERT_TRUE(will);
  EXPECT_EQ(will->payload, "lost");
  EXPECT_EQ(watcher.messages().size(), 1U);
  EXPECT_FALSE(polite.publish("state/late", "x", 0));
}

TEST(MosquittoServer, RestartsOnItsPortWithItsSessions) {
  MosquittoServer server(with_persistence());
  const std::uint16_t port = server.port();
  ClientOptions options;
  options.client_id = "keeper";
  options.clean_session = false;
  {
    TestClient client(port, options);
    EXPECT_FALSE(client.session_present());
    EXPECT_EQ(client.subscribe("queue/#", 1), 1);
  }
  TestClient publisher(port);
  EXPECT_TRUE(publisher.publish("queue/1", "before"));
  server.restart();
  EXPECT_EQ(server.port(), port);
  EXPECT_TRUE(publisher.wait_for_disconnect());
  TestClient client(port, options);
  EXPECT_TRUE(client.session_present());
  const auto message = client.wait_for_topic("queue/1");
  ASSERT_TRUE(message);
  EXPECT_EQ(message->payload, "before");
}

TEST(MosquittoServer, IsGoneBetweenKillAndStart) {
  MosquittoServer server;
  TestClient client(server.port());
  server.kill();
  EXPECT_TRUE(client.wait_for_disconnect());
  EXPECT_THROW(TestClient{server.port()}, ConnectRefused);
  server.start();
  EXPECT_TRUE(TestClient(server.port()).connected());
}

TEST(MosquittoServer, KnowsItsUsers) {
  MosquittoOptions options;
  options.users = {{"edge", "se cret"}, {"other", "x"}};
  const MosquittoServer server(options);
  ClientOptions client;
  client.user_name = "edge";
  client.password = "se cret";
  EXPECT_TRUE(TestClient(server.port(), client).connected());
  client.password = "x";
  try {
    TestClient refused(server.port(), client);
    FAIL() << "a wrong password was taken";
  } catch (const ConnectRefused& refused) {
    EXPECT_EQ(refused.return_code(), 5);
  }
  EXPECT_THROW(TestClient{server.port()}, ConnectRefused);
}

TEST(MosquittoServer, TakesFurtherConfigurationAndSaysWhatIsWrongWithIt) {
  MosquittoOptions options;
  options.extra_config = "max_qos 0";
  const MosquittoServer server(options);
  TestClient client(server.port());
  EXPECT_EQ(client.subscribe("a", 2), 0);

  options.extra_config = "no_such_key 1";
  try {
    const MosquittoServer broken(options);
    FAIL() << "it started";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("no_such_key"), std::string::npos) << error.what();
  }
}

TEST(MosquittoServer, SpeaksWebSockets) {
  MosquittoOptions options;
  options.websockets = true;
  MosquittoServer server(options);
  server.restart();
  EXPECT_NE(server.websocket_port(), server.port());
  const UniqueFd fd = connect_loopback(server.websocket_port());
  const std::string request =
      "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Protocol: mqtt\r\n\r\n";
  ASSERT_EQ(::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::string answer(12, '\0');
  ASSERT_EQ(::recv(fd.get(), answer.data(), answer.size(), MSG_WAITALL), 12);
  EXPECT_EQ(answer, "HTTP/1.1 101");
}

TEST(TestClient, PublishesStreamsInOrder) {
  const MosquittoServer server;
  TestClient subscriber(server.port());
  EXPECT_EQ(subscriber.subscribe("stream/#", 2), 2);
  TestClient publisher(server.port());
  constexpr std::size_t kCount = 1000;
  for (const int qos : {0, 1, 2}) {
    const std::string topic = "stream/" + std::to_string(qos);
    const std::size_t before = subscriber.messages().size();
    for (std::size_t number = 0; number < kCount; ++number) {
      publisher.publish_later(topic, std::to_string(number), qos);
    }
    EXPECT_TRUE(publisher.wait_published());
    ASSERT_TRUE(subscriber.wait_for_count(before + kCount));
    const std::vector<Message> messages = subscriber.messages();
    ASSERT_EQ(messages.size(), before + kCount);
    for (std::size_t number = 0; number < kCount; ++number) {
      ASSERT_EQ(messages[before + number], (Message{topic, std::to_string(number), qos, false}));
    }
  }
}

TEST(ScriptedBroker, TalksWithTestClient) {
  ScriptedBroker broker;
  broker.on(packet::Type::connect, connack(true));
  broker.expect(packet::Type::subscribe, Reply().send(packet::SubAck{1, {0x80}}));
  ClientOptions options;
  options.client_id = "edge";
  options.clean_session = false;
  options.user_name = "user";
  options.password = "password";
  options.will = Message{"state", "lost", 2, true};
  TestClient client(broker.port(), options);
  EXPECT_TRUE(client.session_present());
  EXPECT_EQ(client.subscribe("refused", 1), 0x80);
  EXPECT_TRUE(broker.wait_until_met());
  broker.on(packet::Type::subscribe, grant({0}));
  EXPECT_EQ(client.subscribe("lowered", 2), 0);

  const auto connect = broker.wait_for<packet::Connect>();
  ASSERT_TRUE(connect);
  EXPECT_EQ(connect->packet.client_id, "edge");
  EXPECT_FALSE(connect->packet.clean_session);
  EXPECT_EQ(connect->packet.keep_alive, 60);
  EXPECT_EQ(connect->packet.user_name, "user");
  EXPECT_EQ(connect->packet.password, "password");
  EXPECT_EQ(connect->packet.will, (packet::Will{"state", "lost", 2, true}));
  const auto lowered = broker.wait_for<packet::Subscribe>(
      [](const packet::Subscribe& subscribe) { return subscribe.filters[0].filter == "lowered"; });
  ASSERT_TRUE(lowered);
  EXPECT_EQ(lowered->packet.filters[0].qos, 2);

  EXPECT_TRUE(client.publish("up", "1", 1));
  EXPECT_TRUE(client.publish("up", "2", 2));
  broker.send(0, Reply()
                     .send(packet::Publish{"down", "a", 1, false, false, 10})
                     .send(packet::Publish{"down", "b", 2, true, false, 11}));
  ASSERT_TRUE(client.wait_for_count(2));
  EXPECT_EQ(client.messages(),
            (std::vector<Message>{{"down", "a", 1, false}, {"down", "b", 2, true}}));
  EXPECT_TRUE(broker.wait_for<packet::PubAck>(
      [](const packet::PubAck& puback) { return puback.packet_id == 10; }));
  EXPECT_TRUE(broker.wait_for<packet::PubComp>(
      [](const packet::PubComp& pubcomp) { return pubcomp.packet_id == 11; }));
  EXPECT_EQ(broker.connections()[0].fault, "");
}

TEST(ScriptedBroker, RefusesTestClient) {
  ScriptedBroker broker;
  broker.on(packet::Type::connect, connack(false, 4));
  try {
    TestClient client(broker.port());
    FAIL() << "it was accepted";
  } catch (const ConnectRefused& refused) {
    EXPECT_EQ(refused.return_code(), 4);
  }
}

TEST(ScriptedBroker, LosesAnAcknowledgement) {
  ScriptedBroker broker;
  broker.expect(packet::Type::publish, Reply().close());
  TestClient client(broker.port());
  EXPECT_FALSE(client.publish("up", "1", 1));
  EXPECT_TRUE(client.wait_for_disconnect());
}

TEST(TriggerdProcess, FindsTheEventOfALogLine) {
  EXPECT_EQ(event_of("2026-01-02T03:04:05.678Z info  runtime.ready          ready  [name=test]"),
            "runtime.ready");
  EXPECT_EQ(event_of("2026-01-02T03:04:05.678Z error connection.refused.by  x"),
            "connection.refused.by");
  EXPECT_EQ(event_of("plain words only here"), "");
  EXPECT_EQ(event_of("one"), "");
  EXPECT_EQ(event_of(""), "");
}

TEST(TriggerdProcess, CompletesTheConfiguration) {
  const TriggerdProcess added("[log]\nlevel = \"debug\"");
  const auto text = read_file(added.config_file(), 4096);
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "[log]\nlevel = \"debug\"\n[runtime]\nname = \"test\"\nstate_dir = \"var\"\n" +
                       std::string("plugin_dirs = [\"") + TriggerdProcess::plugin_dir().string() +
                       "\"]\n\n[admin]\nlisten = \"127.0.0.1:0\"\n");
  const std::string own = "# mine\n[admin]\nlisten = \"\"\n[runtime]\nname = \"own\"\n";
  const TriggerdProcess kept(own);
  EXPECT_EQ(read_file(kept.config_file(), 4096).value(), own);
}

}  // namespace
}  // namespace triggerd::test
