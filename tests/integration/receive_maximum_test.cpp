// How many messages a server may have in flight to a connection of MQTT 5; on 3.1.1 any number.
#include <gtest/gtest.h>

#include "integration/acknowledge_fixture.hpp"

namespace triggerd::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kMaximum = 10;
constexpr std::uint8_t kReceiveMaximumExceeded = 0x93;

class ReceiveMaximumTest : public AcknowledgeFixture {
 protected:
  std::filesystem::path other_file() const { return dir_ / "other-records"; }

  // The trigger at `broker_`, and another one at `other_`.
  void start_two(const std::string& more = {}, const std::string& settings = {}) {
    alias_keys_ = keys_of(packet::k5) + fmt::format("receive_maximum = {}\n", kMaximum);
    triggerd_.emplace(config(more, settings) +
                      alias_table("b", other_.port(), keys_of(packet::k5)) +
                      trigger_table("u", "b", "{ filter = \"y\", qos = 1 }", other_file()));
    triggerd_->start();
    broker_.on(packet::Type::pubrec, [](const Received&) { return Reply(); });
    wait_for_subscription();
    const auto subscribe = other_.wait_for<packet::Subscribe>();
    ASSERT_TRUE(subscribe);
    other_connection_ = subscribe->connection;
  }
  // One message more than may be: what came before is handled, and the other trigger sees nothing
  // of it.
  void expect_an_end_for_that(std::uint8_t qos) {
    const std::size_t connection = connection_;
    broker_.on(packet::Type::connect, connack(true));
    forget_answers();
    Reply all;
    for (std::uint16_t id = 1; id <= kMaximum + 1; ++id) {
      all.send(publish(id, qos, std::to_string(id)));
    }
    broker_.send(connection, all);
    const auto disconnect = broker_.wait_for<packet::Disconnect>(from_);
    ASSERT_TRUE(disconnect);
    EXPECT_EQ(disconnect->connection, connection);
    EXPECT_EQ(disconnect->packet.reason, kReceiveMaximumExceeded);
    ASSERT_TRUE(broker_.wait_for_end(connection));
    EXPECT_TRUE(triggerd_->wait_for_event(
        "connection.failed",
        {fmt::format("more unacknowledged messages than receive_maximum ({})", kMaximum),
         "trigger=t"}));
    wait_for_subscription();
    EXPECT_EQ(other_.connections().at(other_connection_).ended, ConnectionRecord::Ended::no);
    packet::Publish other = publish(1, 1, "other");
    other.topic = "y";
    other_.send(other_connection_, Reply().send(other));
    EXPECT_TRUE(other_.wait_for<packet::PubAck>());
  }

  ScriptedBroker other_;
  std::size_t other_connection_ = 0;
};

TEST_F(ReceiveMaximumTest, AServerThatNeverSendsPubrelIsToldSoAndConnectedToAgain) {
  start_two();
  expect_an_end_for_that(2);
  EXPECT_TRUE(wait_for_records(file(), kMaximum));
  EXPECT_TRUE(rows_become("awaiting_pubrel", kMaximum));
  // It goes on as it should have: all are known, and there is room for the next one then.
  for (std::uint16_t id = 1; id <= kMaximum; ++id) {
    send(publish(id, 2, std::to_string(id), true));
    ASSERT_TRUE(answered<packet::PubRec>(id));
  }
  for (std::uint16_t id = 1; id <= kMaximum; ++id) send(packet::PubRel{id});
  ASSERT_TRUE(answered<packet::PubComp>(kMaximum));
  send(publish(kMaximum + 1, 2, "the last", true));
  ASSERT_TRUE(answered<packet::PubRec>(kMaximum + 1));
  ASSERT_TRUE(wait_for_records(file(), kMaximum + 1));
  EXPECT_EQ(records(file()).size(), std::size_t{kMaximum + 1});
}

TEST_F(ReceiveMaximumTest, MessagesThatTheServiceHoldsCount) {
  start_two(std::string("acknowledge = \"finished\"\n") + kHangs, "mode = \"hang\"");
  expect_an_end_for_that(1);
}

TEST_F(ReceiveMaximumTest, AsManyAsMayBeAreNoFault) {
  alias_keys_ = keys_of(packet::k5) + fmt::format("receive_maximum = {}\n", kMaximum);
  start("");
  for (int round = 0; round < 3; ++round) {
    forget_answers();
    Reply all;
    for (std::uint16_t id = 1; id <= kMaximum; ++id) all.send(publish(id, 2, "in time"));
    broker_.send(connection_, all);
    for (std::uint16_t id = 1; id <= kMaximum; ++id) {
      ASSERT_TRUE(answered<packet::PubRec>(id));
      send(packet::PubRel{id});
      ASSERT_TRUE(answered<packet::PubComp>(id));
    }
  }
  EXPECT_TRUE(wait_for_records(file(), std::size_t{3 * kMaximum}));
  EXPECT_EQ(broker_.connections().at(connection_).ended, ConnectionRecord::Ended::no);
}

TEST_F(ReceiveMaximumTest, On311ThereIsNone) {
  alias_keys_ = keys_of(packet::k311);
  start("");
  constexpr std::uint16_t kMany = 2'000;
  Reply all;
  for (std::uint16_t id = 1; id <= kMany; ++id) all.send(publish(id, 2, "many"));
  broker_.send(connection_, all);
  ASSERT_TRUE(answered<packet::PubRec>(kMany));
  EXPECT_TRUE(wait_for_records(file(), kMany));
  EXPECT_EQ(rows(*triggerd_, "awaiting_pubrel"), kMany);
  for (std::uint16_t id = 1; id <= kMany; ++id) send(packet::PubRel{id});
  ASSERT_TRUE(answered<packet::PubComp>(kMany));
  EXPECT_EQ(rows(*triggerd_, "awaiting_pubrel"), 0);
}

// ---- A server that does not wait for its answers ----

class OverrunTest : public BothVersions {};
INSTANTIATE_TEST_SUITE_P(, OverrunTest, BothVersions::versions(), BothVersions::version_name);

// Each PUBREL is answered when it is on disk. Of more than there are packet ids the rest waits in
// the socket, and not in memory.
TEST_P(OverrunTest, MorePubrelsThanThereArePacketIdsAreNotRead) {
  start("");
  std::string pubrels;
  for (int round = 0; round < 4; ++round) {
    for (std::uint32_t id = 1; id <= 65'535; ++id) {
      pubrels += packet::encode(packet::PubRel{static_cast<std::uint16_t>(id)}, GetParam());
    }
  }
  {
    const LockedInbox lock(*triggerd_);
    broker_.send(connection_, Reply().send(pubrels));
    EXPECT_TRUE(triggerd_->wait_for_event(
        "trigger.paused",
        {"the server sends QoS 2 messages without waiting for acknowledgements", "trigger=t"}));
  }
  EXPECT_TRUE(triggerd_->wait_for_event("trigger.resumed", {"trigger=t"}));
  send(publish(1, 1, "still here"));
  EXPECT_TRUE(answered<packet::PubAck>(1));
  EXPECT_EQ(broker_.connections().at(connection_).ended, ConnectionRecord::Ended::no);
}

}  // namespace
}  // namespace triggerd::test
