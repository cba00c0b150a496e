// The outbox with processes: what is published is kept over kills of either side, sent in order,
// and with QoS 2 once. The cells of "What a crash leaves" in docs/reference/inbox-format.md that
// are about outgoing messages, and a bridge.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "integration/acknowledge_fixture.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"

namespace triggerd::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kOutbox = "outbox = {}\n";

Exit triggerctl(const TriggerdProcess& triggerd, std::vector<std::string> arguments,
                std::string* printed = nullptr) {
  arguments.insert(arguments.begin(), {TRIGGERCTL_BINARY, "--config", triggerd.config_file()});
  Process process(arguments);
  const auto exit = process.wait();
  if (printed != nullptr) *printed = process.output();
  return exit.value_or(Exit{-1, 0});
}

bool publish_with(const TriggerdProcess& triggerd, const std::string& alias,
                  const std::string& topic, const std::string& payload, int qos) {
  return triggerctl(triggerd, {"publish", "--alias", alias, "--topic", topic, "--payload", payload,
                               "--qos", std::to_string(qos)}) == Exit{0, 0};
}

// ---- A handshake that is cut by a kill, with either version of MQTT ----

class OutboxHandshake : public testing::TestWithParam<std::uint8_t> {
 protected:
  // Answers nothing that is published; the test does.
  void SetUp() override {
    broker_.on(packet::Type::publish, [](const Received&) { return Reply(); });
    broker_.on(packet::Type::pubrel, [](const Received&) { return Reply(); });
    triggerd_.emplace(
        runtime_table() +
        alias_table("a", broker_.port(),
                    kOutbox + (GetParam() == packet::k5 ? std::string("protocol = \"5\"\n")
                                                        : std::string())));
    start();
  }
  void start(bool session_present = false) {
    broker_.on(packet::Type::connect, connack(session_present));
    from_ = broker_.packets().size();
    triggerd_->start();
    ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
    const auto connect = broker_.wait_for<packet::Connect>(from_);
    ASSERT_TRUE(connect);
    EXPECT_FALSE(connect->packet.clean_session) << "the server is to keep what it has";
    connection_ = connect->connection;
  }
  void kill_and_start() {
    triggerd_->kill();
    start(true);
  }
  void publish_one(int qos) {
    ASSERT_TRUE(publish_with(*triggerd_, "a", "up", "once", qos)) << triggerd_->output();
  }
  // The next PUBLISH on the connection that there is.
  std::optional<packet::Publish> published() {
    const auto found = broker_.wait_for<packet::Publish>(from_);
    if (!found) return std::nullopt;
    from_ = found->index + 1;
    return found->packet;
  }
  bool released(std::uint16_t id) {
    const auto found = broker_.wait_for<packet::PubRel>(
        [id](const packet::PubRel& pubrel) { return pubrel.packet_id == id; }, from_);
    if (found) from_ = found->index + 1;
    return found.has_value();
  }
  void send(const packet::Any& packet) { broker_.send(connection_, Reply().send(packet)); }
  // All packets of a kind so far.
  template <class Packet>
  std::size_t count() const {
    std::size_t found = 0;
    for (const Received& received : broker_.packets()) {
      found += std::holds_alternative<Packet>(received.packet) ? 1 : 0;
    }
    return found;
  }
  bool rows_become(const std::string& table, int count) const {
    return eventually([&] { return rows(*triggerd_, table) == count; });
  }
  void TearDown() override {
    if (HasFailure() && triggerd_) ADD_FAILURE() << triggerd_->output();
  }

  ScriptedBroker broker_;
  std::optional<TriggerdProcess> triggerd_;
  std::size_t connection_ = 0;
  std::size_t from_ = 0;
};
INSTANTIATE_TEST_SUITE_P(, OutboxHandshake, testing::Values(packet::k311, packet::k5),
                         [](const auto& of) {
                           return of.param == packet::k5 ? "Mqtt5" : "Mqtt311";
                         });

TEST_P(OutboxHandshake, KilledBeforeTheAnswerItIsSentAgainAsTheSame) {
  for (const int qos : {1, 2}) {
    publish_one(qos);
    const auto first = published();
    ASSERT_TRUE(first);
    EXPECT_FALSE(first->dup);
    EXPECT_GE(first->packet_id, 0x8000);
    ASSERT_TRUE(rows_become("outgoing", 1));
    kill_and_start();
    const auto second = published();
    ASSERT_TRUE(second);
    EXPECT_TRUE(second->dup);
    EXPECT_EQ(second->packet_id, first->packet_id);
    EXPECT_EQ(second->payload, "once");
    if (qos == 1) {
      send(packet::PubAck{second->packet_id});
    } else {
      send(packet::PubRec{second->packet_id});
      ASSERT_TRUE(released(second->packet_id));
      send(packet::PubComp{second->packet_id});
    }
    EXPECT_TRUE(rows_become("outgoing", 0));
    EXPECT_TRUE(rows_become("awaiting_pubcomp", 0));
  }
}

TEST_P(OutboxHandshake, KilledBeforeItsReleaseIsWrittenItIsSentAgain) {
  publish_one(2);
  const auto first = published();
  ASSERT_TRUE(first);
  {
    const LockedInbox lock(*triggerd_);
    send(packet::PubRec{first->packet_id});
    ASSERT_FALSE(broker_.wait_for<packet::PubRel>(from_, 300ms)) << "PUBREL left too early";
    triggerd_->kill();
  }
  start(true);
  const auto second = published();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->packet_id, first->packet_id);
  EXPECT_TRUE(second->dup);
}

TEST_P(OutboxHandshake, KilledAfterPubrecItIsReleasedAndNotSentAgain) {
  publish_one(2);
  const auto first = published();
  ASSERT_TRUE(first);
  send(packet::PubRec{first->packet_id});
  ASSERT_TRUE(released(first->packet_id));
  EXPECT_EQ(rows(*triggerd_, "outgoing"), 0) << "before PUBREL leaves";
  EXPECT_EQ(rows(*triggerd_, "awaiting_pubcomp"), 1);
  kill_and_start();
  ASSERT_TRUE(released(first->packet_id));
  EXPECT_EQ(count<packet::Publish>(), 1U);
  send(packet::PubComp{first->packet_id});
  EXPECT_TRUE(rows_become("awaiting_pubcomp", 0));
}

TEST_P(OutboxHandshake, AServerThatHasLostTheSessionGetsItAnew) {
  publish_one(2);
  const auto first = published();
  ASSERT_TRUE(first);
  ASSERT_TRUE(rows_become("outgoing", 1));
  triggerd_->kill();
  start(false);
  const auto second = published();
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->dup);
}

TEST_P(OutboxHandshake, ABrokenConnectionChangesNothing) {
  publish_one(2);
  const auto first = published();
  ASSERT_TRUE(first);
  broker_.on(packet::Type::connect, connack(true));
  broker_.send(connection_, Reply().close());
  const auto second = published();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->packet_id, first->packet_id);
  EXPECT_TRUE(second->dup);
}

// ---- A bridge between two servers ----

class OutboxBridge : public testing::Test {
 protected:
  static constexpr int kMessages = 300;

  std::string configuration(int qos, const std::string& outbox = "{}",
                            const std::string& trigger = {}) const {
    return runtime_table("drain_timeout = \"2s\"") + alias_table("plant", plant_.port()) +
           alias_table("central", central_.port(), fmt::format("outbox = {}\n", outbox)) +
           fmt::format(R"(
[aliases.central.last_will]
topic = "state"
on_connect_payload = "up"
on_disconnect_payload = "down"
[[triggers]]
name = "bridge"
alias = "plant"
topics = [{{ filter = "in/#", qos = {} }}]
service = "republish"
{}
[triggers.settings]
alias = "central"
topic = "out/{{topic:2}}"
qos = {}
retain = true
)",
                       qos, trigger, qos);
  }
  void publish(TestClient& client, int from, int to, int qos) {
    for (int i = from; i < to; ++i) client.publish_later(fmt::format("in/{}", i), "x", qos);
    ASSERT_TRUE(client.wait_published());
  }
  // What the central server has kept.
  std::set<std::string> arrived() {
    TestClient client(central_.port());
    EXPECT_TRUE(client.subscribe("out/#"));
    EXPECT_TRUE(client.subscribe("last/one"));  // behind all that is retained
    EXPECT_TRUE(client.publish("last/one", "x"));
    EXPECT_TRUE(client.wait_for_topic("last/one"));
    std::set<std::string> topics;
    for (const Message& message : client.messages()) topics.insert(message.topic);
    topics.erase("last/one");
    return topics;
  }
  void TearDown() override {
    if (HasFailure() && triggerd_) ADD_FAILURE() << triggerd_->output();
  }

  MosquittoServer plant_{{.persistence = true}};
  MosquittoServer central_{{.persistence = true}};
  std::optional<TriggerdProcess> triggerd_;
};

TEST_F(OutboxBridge, LosesNothingWhateverIsAwayWhen) {
  for (const int qos : {1, 2}) {
    triggerd_.emplace(configuration(qos));
    triggerd_->start();
    ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
    TestClient client(plant_.port());
    constexpr int kPart = kMessages / 6;
    publish(client, 0, kPart, qos);
    central_.stop();
    publish(client, kPart, 2 * kPart, qos);
    triggerd_->kill();
    publish(client, 2 * kPart, 3 * kPart, qos);
    triggerd_->start();
    publish(client, 3 * kPart, 4 * kPart, qos);
    central_.start();
    publish(client, 4 * kPart, 5 * kPart, qos);
    triggerd_->kill();
    triggerd_->start();
    publish(client, 5 * kPart, kMessages, qos);
    EXPECT_TRUE(eventually([&] {
      return rows(*triggerd_, "message") == 0 && rows(*triggerd_, "outgoing") == 0 &&
             arrived().size() == kMessages;
    })) << rows(*triggerd_, "message")
        << " messages, " << rows(*triggerd_, "outgoing") << " in the outbox, " << arrived().size()
        << " there";
    EXPECT_EQ(rows(*triggerd_, "dead_letter"), 0);
    EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
    central_.restart();
  }
}

TEST_F(OutboxBridge, WhatIsAcceptedWithQosTwoArrivesOnce) {
  constexpr int kOnes = 24;
  triggerd_.emplace(configuration(2));
  triggerd_->start();
  ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
  TestClient watcher(central_.port());
  ASSERT_TRUE(watcher.subscribe("one/#", 2));
  std::map<std::string, int> accepted;
  for (int i = 0; i < kOnes; ++i) {
    const std::string topic = fmt::format("one/{}", i);
    accepted[topic] = publish_with(*triggerd_, "central", topic, "x", 2) ? 1 : 0;
    if (i % 4 != 3) continue;
    triggerd_->kill();  // some of it is on its way
    triggerd_->start();
    ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
  }
  ASSERT_TRUE(eventually([&] {
    return rows(*triggerd_, "outgoing") == 0 && rows(*triggerd_, "awaiting_pubcomp") == 0;
  }));
  ASSERT_TRUE(publish_with(*triggerd_, "central", "one/last", "x", 2));
  ASSERT_TRUE(watcher.wait_for_topic("one/last"));
  std::map<std::string, int> times;
  for (const Message& message : watcher.messages()) ++times[message.topic];
  for (const auto& [topic, was_accepted] : accepted) {
    EXPECT_EQ(was_accepted, 1) << topic;
    EXPECT_EQ(times[topic], 1) << topic;
  }
}

TEST_F(OutboxBridge, AFullOneMakesItsTriggerWait) {
  central_.stop();
  triggerd_.emplace(configuration(1, "{ max_size = \"64KiB\" }", "retry = { max_attempts = 2 }\n"));
  triggerd_->start();
  ASSERT_TRUE(triggerd_->wait_for_event("trigger.running"));
  TestClient client(plant_.port());
  constexpr int kLarge = 40;
  const std::string large(4'000, 'x');
  for (int i = 0; i < kLarge; ++i) client.publish_later(fmt::format("in/{}", i), large);
  ASSERT_TRUE(client.wait_published());
  ASSERT_TRUE(triggerd_->wait_for_event("outbox.full"));
  ASSERT_TRUE(triggerd_->wait_for_event("trigger.unavailable"));
  central_.start();
  EXPECT_TRUE(eventually([&] { return arrived().size() == kLarge; })) << arrived().size();
  EXPECT_EQ(rows(*triggerd_, "dead_letter"), 0);
}

TEST_F(OutboxBridge, CanBeLookedAtAndCleared) {
  central_.stop();
  triggerd_.emplace(configuration(1));
  triggerd_->start();
  ASSERT_TRUE(triggerd_->wait_for_event("admin.listening"));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(publish_with(*triggerd_, "central", fmt::format("one/{}", i), "12345", 1));
  }
  std::string printed;
  EXPECT_EQ(triggerctl(*triggerd_,
                       {"publish", "--alias", "central", "--topic", "one/3", "--payload", "12345"},
                       &printed),
            (Exit{0, 0}));
  EXPECT_NE(printed.find("kept 5 bytes to one/3 on central, QoS 1: its server is away"),
            std::string::npos)
      << printed;
  EXPECT_EQ(triggerctl(*triggerd_, {"alias", "outbox", "central"}, &printed), (Exit{0, 0}));
  EXPECT_NE(printed.find("4 messages kept, 0 of them sent"), std::string::npos) << printed;
  EXPECT_NE(printed.find("one/2"), std::string::npos) << printed;
  EXPECT_EQ(triggerctl(*triggerd_, {"alias", "outbox", "plant"}, &printed), (Exit{1, 0}));
  EXPECT_NE(printed.find("alias \"plant\" has no outbox"), std::string::npos) << printed;
  EXPECT_EQ(triggerctl(*triggerd_, {"alias", "clear-outbox", "central"}, &printed), (Exit{0, 0}));
  EXPECT_NE(printed.find("4 messages were removed"), std::string::npos) << printed;
  EXPECT_EQ(rows(*triggerd_, "outgoing"), 0);
}

TEST_F(OutboxBridge, AReloadTakesItOutAndBringsItBack) {
  central_.stop();
  triggerd_.emplace(configuration(1));
  triggerd_->start();
  ASSERT_TRUE(triggerd_->wait_for_event("admin.listening"));
  ASSERT_TRUE(publish_with(*triggerd_, "central", "one/1", "x", 1));
  std::string without = configuration(1);
  without.erase(without.find("outbox = {}"), 11);
  triggerd_->write_config(without);
  ASSERT_EQ(triggerctl(*triggerd_, {"reload"}), (Exit{0, 0})) << triggerd_->output();
  EXPECT_FALSE(publish_with(*triggerd_, "central", "one/2", "x", 1)) << "it has none now";
  triggerd_->kill();
  triggerd_->start();
  EXPECT_TRUE(triggerd_->wait_for_event("outbox.orphaned"));
  ASSERT_TRUE(triggerd_->wait_for_event("admin.listening"));
  EXPECT_EQ(rows(*triggerd_, "outgoing"), 1);
  triggerd_->write_config(configuration(1, "{ max_size = \"1MiB\" }"));
  ASSERT_EQ(triggerctl(*triggerd_, {"reload"}), (Exit{0, 0})) << triggerd_->output();
  central_.start();
  TestClient watcher(central_.port());
  EXPECT_TRUE(eventually([&] { return rows(*triggerd_, "outgoing") == 0; }));
}

}  // namespace
}  // namespace triggerd::test
