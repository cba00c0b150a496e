// What services publish: how much of it a server has to take at once, and what they are told.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "integration/acknowledge_fixture.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"

namespace triggerd::test {
namespace {

using namespace std::chrono_literals;

// A trigger on in/# that copies to copy/..., many at a time.
std::string republishing(std::uint16_t port, int qos, const std::string& alias = {},
                         const std::string& trigger = {}) {
  return runtime_table() + alias_table("a", port, alias) +
         fmt::format(R"(
[[triggers]]
name = "copies"
alias = "a"
topics = ["in/#"]
service = "republish"
concurrency = 64
order = "none"
retry = {{ interval = "50ms" }}
{}
[triggers.settings]
topic = "copy/{{topic:2}}"
qos = {}
)",
                     trigger, qos);
}

TEST(PublishingTest, EveryMessageOfAStormArrivesAndIsToldOnce) {
  constexpr std::size_t kMessages = 400;
  MosquittoServer server;
  TestClient watcher(server.port());
  ASSERT_TRUE(watcher.subscribe("copy/#", 2));
  TriggerdProcess triggerd(republishing(server.port(), 2));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server.port());
  for (std::size_t i = 0; i < kMessages; ++i) client.publish_later(fmt::format("in/{}", i), "x");
  ASSERT_TRUE(client.wait_published());
  EXPECT_TRUE(watcher.wait_for_count(kMessages)) << watcher.messages().size();
  EXPECT_TRUE(eventually([&] { return rows(triggerd, "message") == 0; }));
  EXPECT_EQ(rows(triggerd, "dead_letter"), 0) << triggerd.output();
  std::set<std::string> topics;
  for (const Message& message : watcher.messages()) topics.insert(message.topic);
  EXPECT_EQ(topics.size(), kMessages);
  EXPECT_EQ(watcher.messages().size(), kMessages) << "none came twice";
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

// A server that confirms what is published to it only when the test says so, and counts what it has
// open. 60 messages come to the trigger at once.
class SlowServer : public testing::Test {
 protected:
  static constexpr std::size_t kMessages = 60;

  void start(int qos, const std::string& alias = {}, const std::string& connack = {}) {
    qos_ = qos;
    broker_.on(packet::Type::connect, [connack](const Received&) {
      return Reply().send(packet::ConnAck{false, 0, connack});
    });
    broker_.on(packet::Type::publish, [this](const Received& received) {
      const auto& publish = std::get<packet::Publish>(received.packet);
      MutexLock lock(mutex_);
      topics_.insert(publish.topic);
      most_open_ = std::max(most_open_, ++open_[received.connection]);
      unanswered_.emplace_back(received.connection, publish.packet_id);
      return Reply();
    });
    broker_.on(packet::Type::pubrel, [this](const Received& received) {
      MutexLock lock(mutex_);
      --open_[received.connection];
      return Reply().send(packet::PubComp{std::get<packet::PubRel>(received.packet).packet_id});
    });
    triggerd_.emplace(republishing(broker_.port(), qos, alias));
    triggerd_->start();
    ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
    const auto subscribe = broker_.wait_for<packet::Subscribe>();
    ASSERT_TRUE(subscribe);
    Reply messages;
    for (std::size_t i = 0; i < kMessages; ++i) {
      packet::Publish message = publish(static_cast<std::uint16_t>(i + 1), 1, "x");
      message.topic = fmt::format("in/{}", i);
      messages.send(message);
    }
    broker_.send(subscribe->connection, messages);
  }
  // Confirms what has come so far, in its order. The alias's connection.
  std::size_t confirm() {
    std::vector<std::pair<std::size_t, std::uint16_t>> answers;
    {
      MutexLock lock(mutex_);
      answers.swap(unanswered_);
      for (const auto& [connection, id] : answers) {
        alias_connection_ = connection;
        if (qos_ == 1) --open_[connection];
      }
    }
    for (const auto& [connection, id] : answers) {
      broker_.send(connection,
                   qos_ == 1 ? Reply().send(packet::PubAck{id}) : Reply().send(packet::PubRec{id}));
    }
    return alias_connection_;
  }
  // Each copy has come, and no message is left, neither as one nor as a dead letter.
  void expect_all_to_end_well() {
    EXPECT_TRUE(eventually([&] {
      confirm();
      MutexLock lock(mutex_);
      return topics_.size() == kMessages;
    }));
    EXPECT_TRUE(eventually([&] {
      confirm();
      return rows(*triggerd_, "message") == 0;
    }));
    EXPECT_EQ(rows(*triggerd_, "dead_letter"), 0);
  }
  bool open_at_once(int count) {
    return eventually([&] {
      MutexLock lock(mutex_);
      return most_open_ >= count;
    });
  }
  int most_open() {
    MutexLock lock(mutex_);
    return most_open_;
  }
  void TearDown() override {
    if (HasFailure() && triggerd_) ADD_FAILURE() << triggerd_->output();
  }

  int qos_ = 1;
  std::size_t alias_connection_ = 0;
  Mutex mutex_;
  std::map<std::size_t, int> open_ TRIGGERD_GUARDED_BY(mutex_);  // by connection
  int most_open_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  std::set<std::string> topics_ TRIGGERD_GUARDED_BY(mutex_);
  std::vector<std::pair<std::size_t, std::uint16_t>> unanswered_ TRIGGERD_GUARDED_BY(mutex_);
  ScriptedBroker broker_;
  std::optional<TriggerdProcess> triggerd_;
};

TEST_F(SlowServer, OfQos1ItHasTwentyOpen) {
  start(1);
  EXPECT_TRUE(open_at_once(20));
  expect_all_to_end_well();
  EXPECT_EQ(most_open(), 20);
}

TEST_F(SlowServer, OfQos2ItHasTwentyOpen) {
  start(2);
  EXPECT_TRUE(open_at_once(20));
  expect_all_to_end_well();
  EXPECT_EQ(most_open(), 20);
}

TEST_F(SlowServer, TheConfigurationSaysHowMany) {
  start(1, "max_inflight = 2\n");
  EXPECT_TRUE(open_at_once(2));
  expect_all_to_end_well();
  EXPECT_EQ(most_open(), 2);
}

TEST_F(SlowServer, OneOfMqtt5SaysHowManyItself) {
  start(2, "protocol = \"5\"\n", packet::u16_property(0x21, 30));
  EXPECT_TRUE(open_at_once(30));
  expect_all_to_end_well();
  EXPECT_EQ(most_open(), 30);
}

TEST_F(SlowServer, ThatBreaksOffGetsNoMoreAtOnceAfterwards) {
  start(1);
  ASSERT_TRUE(open_at_once(20));
  broker_.send(confirm(), Reply().close());  // what is confirmed may still arrive, or not
  expect_all_to_end_well();
  EXPECT_EQ(most_open(), 20);
}

// ---- What a server of MQTT 5 says it does not take ----

TEST_F(SlowServer, APacketMayBeAsLargeAsTheServerTakesAndNoLarger) {
  constexpr std::size_t kRest = 14;  // of a packet to copy/N with QoS 1, without its payload
  start(1, "protocol = \"5\"\n", packet::u32_property(0x27, 200));
  expect_all_to_end_well();
  const auto trigger = broker_.wait_for<packet::Subscribe>()->connection;
  packet::Publish message = publish(1'000, 1, std::string(200 - kRest, 'x'));
  message.topic = "in/a";
  broker_.send(trigger, Reply().send(message));
  EXPECT_TRUE(broker_.wait_for<packet::Publish>(
      [](const packet::Publish& copy) { return copy.topic == "copy/a"; }));
  message = publish(1'001, 1, std::string(201 - kRest, 'x'));
  message.topic = "in/b";
  broker_.send(trigger, Reply().send(message));
  EXPECT_TRUE(triggerd_->wait_for_event(
      "message.dead_letter",
      {"not published: its packet has 201 bytes, and the server accepts at most 200"}));
  for (const Received& received : broker_.packets()) {
    const auto* copy = std::get_if<packet::Publish>(&received.packet);
    EXPECT_FALSE(copy != nullptr && copy->topic == "copy/b");
  }
}

}  // namespace
}  // namespace triggerd::test
