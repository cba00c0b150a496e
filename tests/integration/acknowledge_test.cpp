// What leaves on the wire and when, against a scripted broker, over both versions of MQTT: no
// acknowledgement before its message is finished or on disk, and in order. What is killed when with
// QoS 2 is in exactly_once_test.cpp, what a server sends again with QoS 1 in redelivery_test.cpp.
#include <gtest/gtest.h>

#include "integration/acknowledge_fixture.hpp"

namespace triggerd::test {
namespace {

using namespace std::chrono_literals;

class AcknowledgeTest : public BothVersions {};
INSTANTIATE_TEST_SUITE_P(, AcknowledgeTest, BothVersions::versions(), BothVersions::version_name);

// ---- QoS 1 ----

TEST_P(AcknowledgeTest, DurableWaitsForTheDiskWhereTheServiceIsSlow) {
  start(kHangs, "mode = \"hang\"");
  {
    const LockedInbox lock(*triggerd_);
    send(publish(1, 1, "one"));
    ASSERT_TRUE(wait_for_calls(file(), 1));
    EXPECT_FALSE(answered<packet::PubAck>(1, 300ms)) << "neither finished nor on disk";
  }
  ASSERT_TRUE(answered<packet::PubAck>(1)) << triggerd_->output();
  EXPECT_EQ(rows(*triggerd_, "message"), 1);
}

TEST_P(AcknowledgeTest, DurableDoesNotWaitForTheDiskWhereTheServiceIsQuick) {
  start("");
  const LockedInbox lock(*triggerd_);
  send(publish(1, 1, "one"));
  EXPECT_TRUE(answered<packet::PubAck>(1)) << "it is finished";
}

TEST_P(AcknowledgeTest, WhatIsFinishedLeavesTheInbox) {
  start("", waiting());
  for (std::uint16_t id = 1; id <= 20; ++id) send(publish(id, 1, "wait"));
  ASSERT_TRUE(answered<packet::PubAck>(20));
  EXPECT_EQ(rows(*triggerd_, "message"), 20);
  let_go();
  ASSERT_TRUE(wait_for_records(file(), 20));
  EXPECT_TRUE(rows_become("message", 0));
}

TEST_P(AcknowledgeTest, FinishedWaitsForTheService) {
  start("acknowledge = \"finished\"", waiting());
  send(publish(1, 1, "wait"));
  ASSERT_TRUE(wait_for_calls(file(), 1));
  EXPECT_FALSE(answered<packet::PubAck>(1, 100ms));
  let_go();
  ASSERT_TRUE(answered<packet::PubAck>(1));
  EXPECT_EQ(records(file(), "end").size(), 1U);
  EXPECT_EQ(rows(*triggerd_, "message"), 0) << "the server keeps it, so the inbox need not";
}

TEST_P(AcknowledgeTest, ReceivedWaitsForNothing) {
  start(std::string("acknowledge = \"received\"\n") + kHangs, "mode = \"hang\"");
  const LockedInbox lock(*triggerd_);
  send(publish(1, 1, "one"));
  EXPECT_TRUE(answered<packet::PubAck>(1));
  send(publish(2, 2, "two"));
  EXPECT_TRUE(answered<packet::PubRec>(2));
  send(packet::PubRel{2});
  EXPECT_TRUE(answered<packet::PubComp>(2));
}

TEST_P(AcknowledgeTest, AcknowledgementsLeaveInArrivalOrderWhateverFinishesFirst) {
  start("acknowledge = \"finished\"\nconcurrency = 4\norder = \"none\"", waiting_one_by_one());
  // Each waits for the file of its name, and they are let go from the last to the first.
  const std::vector<std::string> payloads{"wait-1", "wait-2", "wait-3", "wait-4"};
  for (std::uint16_t id = 1; id <= 4; ++id) send(publish(id, 1, payloads[id - 1U]));
  for (std::size_t i = payloads.size(); i-- > 0;) {
    let_go(payloads[i]);
    ASSERT_TRUE(wait_for_records(file(), payloads.size() - i)) << triggerd_->output();
  }
  ASSERT_TRUE(answered<packet::PubAck>(4)) << triggerd_->output();
  EXPECT_EQ(acknowledged<packet::PubAck>(), (std::vector<std::uint16_t>{1, 2, 3, 4}));
  const auto ended = records(file(), "end");
  ASSERT_EQ(ended.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(ended[i].hash, fnv1a(payloads[3 - i])) << "they did finish the other way round";
  }
}

TEST_P(AcknowledgeTest, WhatIsHeldIsDroppedWithItsConnection) {
  start(kFinishedSideBySide, waiting());
  send(publish(1, 1, "wait"));
  ASSERT_TRUE(wait_for_calls(file(), 1));
  const std::size_t old_connection = connection_;
  drop_connection();
  let_go();
  ASSERT_TRUE(wait_for_records(file(), 1));
  send(publish(9, 1, "another"));
  ASSERT_TRUE(answered<packet::PubAck>(9));
  EXPECT_FALSE(answered<packet::PubAck>(1, 100ms)) << "this connection does not owe it";
  EXPECT_NE(connection_, old_connection);
}

// ---- Hostile input ----

TEST_P(AcknowledgeTest, AMessageSplitAtEveryByteArrivesWhole) {
  start("");
  packet::Publish message = publish(1, 1, "split me");
  if (v5()) {
    message.properties =
        packet::user_property("key", "value") + packet::text_property(0x03, "text");
  }
  const std::size_t size = packet::encode(message, GetParam()).size();
  for (std::size_t at = 1; at < size; ++at) {
    message.packet_id = static_cast<std::uint16_t>(at);
    broker_.send(connection_, Reply().send_split(packet::encode(message, GetParam()), at, 2ms));
    ASSERT_TRUE(answered<packet::PubAck>(message.packet_id)) << at;
  }
  ASSERT_TRUE(wait_for_calls(file(), size - 1));
  for (const Record& record : records(file())) EXPECT_EQ(record.hash, fnv1a("split me"));
}

// What is no message has no reason to be large. A message before it is handled all the same.
TEST_P(AcknowledgeTest, ALargePacketThatIsNoMessageEndsTheConnectionWithAReason) {
  start("");
  std::size_t sent = 0;
  for (const auto& [type, flags] : {std::pair(packet::Type::puback, std::uint8_t{0}),
                                    std::pair(packet::Type::pubrel, std::uint8_t{2})}) {
    const std::size_t connection = connection_;
    const std::string message = packet::encode(publish(1, 1, "before"), GetParam());
    broker_.send(connection_,
                 Reply().send(message + packet::encode_header(type, flags, 1'048'577)));
    ASSERT_TRUE(broker_.wait_for_end(connection));
    EXPECT_TRUE(wait_for_calls(file(), ++sent));
    EXPECT_TRUE(triggerd_->wait_for_event(
        "connection.failed", {"a packet of 1048581 bytes that is not a PUBLISH", "trigger=t"}));
    wait_for_subscription();
  }
  send(publish(2, 1, "still here"));
  EXPECT_TRUE(answered<packet::PubAck>(2));
}

TEST_P(AcknowledgeTest, GarbageEndsTheConnectionAndNothingElse) {
  start("");
  for (const std::string& garbage :
       {std::string("\xff\xff\xff\xff\xff\xff\xff\xff", 8), std::string("\x00\x00", 2),
        std::string("\x32\x02\xff\xff", 4), std::string("\x36\x00", 2)}) {
    const std::size_t connection = connection_;
    broker_.send(connection_, Reply().send(garbage).wait(50ms).close());
    ASSERT_TRUE(broker_.wait_for_end(connection)) << triggerd_->output();
    wait_for_subscription();
  }
  send(publish(1, 1, "still here"));
  EXPECT_TRUE(answered<packet::PubAck>(1)) << triggerd_->output();
}

TEST_P(AcknowledgeTest, AcknowledgementsForNobodyAreIgnored) {
  start("");
  const auto reason = [this](std::uint8_t of_5) { return v5() ? of_5 : std::uint8_t{0}; };
  for (const packet::Any& packet :
       std::vector<packet::Any>{packet::PubAck{77, reason(0x10)}, packet::PubRec{78, reason(0x97)},
                                packet::PubComp{79, reason(0x92)}}) {
    send(packet);
  }
  send(packet::PubRel{81});
  EXPECT_TRUE(answered<packet::PubComp>(81)) << "so that the server forgets it";
  send(publish(1, 1, "still here"));
  EXPECT_TRUE(answered<packet::PubAck>(1)) << triggerd_->output();
}

}  // namespace
}  // namespace triggerd::test
