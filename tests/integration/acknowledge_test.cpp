// What leaves on the wire and when, against a scripted broker: no acknowledgement before its
// message is finished or on disk, in order, and exactly one acceptance of QoS 2 whatever is killed
// when.
#include <gtest/gtest.h>

#include "integration/acknowledge_fixture.hpp"

namespace triggerd::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kHangs = "service = \"recorder:misbehave\"\ntimeout = \"1h\"\n";

class AcknowledgeTest : public AcknowledgeFixture {};

// ---- QoS 1 ----

TEST_F(AcknowledgeTest, DurableWaitsForTheDiskWhereTheServiceIsSlow) {
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

TEST_F(AcknowledgeTest, DurableDoesNotWaitForTheDiskWhereTheServiceIsQuick) {
  start("");
  const LockedInbox lock(*triggerd_);
  send(publish(1, 1, "one"));
  EXPECT_TRUE(answered<packet::PubAck>(1)) << "it is finished";
}

TEST_F(AcknowledgeTest, WhatIsFinishedLeavesTheInbox) {
  start("", "delay_ms = 200");
  for (std::uint16_t id = 1; id <= 20; ++id) send(publish(id, 1, std::to_string(id)));
  ASSERT_TRUE(answered<packet::PubAck>(20));
  EXPECT_GT(rows(*triggerd_, "message"), 0);
  ASSERT_TRUE(wait_for_calls(file(), 20));
  EXPECT_TRUE(eventually([&] { return rows(*triggerd_, "message") == 0; }));
}

TEST_F(AcknowledgeTest, FinishedWaitsForTheService) {
  start("acknowledge = \"finished\"", "mode = \"payload-delay\"");
  send(publish(1, 1, "400"));
  ASSERT_TRUE(wait_for_calls(file(), 1));
  EXPECT_FALSE(answered<packet::PubAck>(1, 100ms));
  ASSERT_TRUE(answered<packet::PubAck>(1));
  EXPECT_EQ(records(file(), "end").size(), 1U);
  EXPECT_EQ(rows(*triggerd_, "message"), 0) << "the server keeps it, so the inbox need not";
}

TEST_F(AcknowledgeTest, ReceivedWaitsForNothing) {
  start(std::string("acknowledge = \"received\"\n") + kHangs, "mode = \"hang\"");
  const LockedInbox lock(*triggerd_);
  send(publish(1, 1, "one"));
  EXPECT_TRUE(answered<packet::PubAck>(1));
  send(publish(2, 2, "two"));
  EXPECT_TRUE(answered<packet::PubRec>(2));
}

TEST_F(AcknowledgeTest, AcknowledgementsLeaveInArrivalOrderWhateverFinishesFirst) {
  start("acknowledge = \"finished\"\nconcurrency = 4\norder = \"none\"",
        "mode = \"payload-delay\"");
  const std::vector<std::string> delays{"600", "300", "150", "1"};
  for (std::uint16_t id = 1; id <= 4; ++id) send(publish(id, 1, delays[id - 1U]));
  ASSERT_TRUE(answered<packet::PubAck>(4)) << triggerd_->output();
  std::vector<std::uint16_t> acknowledged;
  for (const Received& received : broker_.packets()) {
    if (const auto* ack = std::get_if<packet::PubAck>(&received.packet)) {
      acknowledged.push_back(ack->packet_id);
    }
  }
  EXPECT_EQ(acknowledged, (std::vector<std::uint16_t>{1, 2, 3, 4}));
  const auto ended = records(file(), "end");
  ASSERT_EQ(ended.size(), 4U);
  EXPECT_EQ(ended[0].hash, fnv1a("1")) << "they did finish the other way round";
}

TEST_F(AcknowledgeTest, WhatIsHeldIsDroppedWithItsConnection) {
  start("acknowledge = \"finished\"\nconcurrency = 2\norder = \"none\"",
        "mode = \"payload-delay\"");
  send(publish(1, 1, "500"));
  ASSERT_TRUE(wait_for_calls(file(), 1));
  const std::size_t old_connection = connection_;
  drop_connection();
  ASSERT_TRUE(wait_for_records(file(), 1));
  send(publish(9, 1, "1"));
  ASSERT_TRUE(answered<packet::PubAck>(9));
  EXPECT_FALSE(answered<packet::PubAck>(1, 100ms)) << "this connection does not owe it";
  EXPECT_NE(connection_, old_connection);
}

TEST_F(AcknowledgeTest, ARedeliveredMessageIsHandledOnceWhereTheFirstIsStillThere) {
  start("acknowledge = \"finished\"", "mode = \"payload-delay\"");
  send(publish(1, 1, "3500"));
  ASSERT_TRUE(wait_for_calls(file(), 1));
  drop_connection();
  send(publish(1, 1, "3500", true));
  ASSERT_TRUE(answered<packet::PubAck>(1))
      << "the second one is acknowledged when the first is done";
  EXPECT_EQ(records(file()).size(), 1U);
  EXPECT_EQ(records(file(), "end").size(), 1U);
}

TEST_F(AcknowledgeTest, ARedeliveredMessageIsHandledOnceWhereItsRowIsStillThere) {
  start(kHangs, "mode = \"hang\"");
  send(publish(1, 1, "one"));
  ASSERT_TRUE(answered<packet::PubAck>(1));  // which the server loses
  ASSERT_TRUE(wait_for_calls(file(), 1));    // the disk may have been quicker
  kill_and_restart();
  send(publish(1, 1, "one", true));
  ASSERT_TRUE(answered<packet::PubAck>(1)) << triggerd_->output();
  ASSERT_TRUE(wait_for_calls(file(), 2)) << "each run tried it";
  EXPECT_EQ(message_ids().size(), 1U);
  EXPECT_EQ(rows(*triggerd_, "message"), 1);
}

TEST_F(AcknowledgeTest, AnotherMessageWithTheSamePacketIdIsNotTakenForARedelivery) {
  start("acknowledge = \"finished\"\nconcurrency = 2\norder = \"none\"",
        "mode = \"payload-delay\"");
  send(publish(1, 1, "3500"));
  ASSERT_TRUE(wait_for_calls(file(), 1));
  drop_connection();
  send(publish(1, 1, "2", true));
  ASSERT_TRUE(wait_for_calls(file(), 2));
  EXPECT_EQ(message_ids().size(), 2U);
}

// ---- QoS 2: killed at each point, accepted once ----

TEST_F(AcknowledgeTest, Qos2KilledBeforePubrec) {
  start("");
  {
    const LockedInbox lock(*triggerd_);
    send(publish(7, 2, "once"));
    ASSERT_FALSE(answered<packet::PubRec>(7, 300ms)) << "not staged yet";
    triggerd_->kill();
  }
  kill_and_restart();
  send(publish(7, 2, "once", true));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  EXPECT_EQ(rows(*triggerd_, "staged"), 1);
  send(packet::PubRel{7});
  ASSERT_TRUE(answered<packet::PubComp>(7));
  ASSERT_TRUE(wait_for_records(file(), 1));
  EXPECT_EQ(message_ids().size(), 1U);
  EXPECT_EQ(rows(*triggerd_, "staged"), 0);
}

TEST_F(AcknowledgeTest, Qos2KilledAfterPubrec) {
  start("");
  send(publish(7, 2, "once"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  kill_and_restart();
  send(packet::PubRel{7});
  ASSERT_TRUE(answered<packet::PubComp>(7));
  ASSERT_TRUE(wait_for_records(file(), 1)) << triggerd_->output();
  const auto got = records(file());
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].qos, 2U);
  EXPECT_EQ(got[0].hash, fnv1a("once"));
}

TEST_F(AcknowledgeTest, Qos2KilledWhileItIsHandedOver) {
  start("");
  send(publish(7, 2, "once"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  {
    const LockedInbox lock(*triggerd_);
    send(packet::PubRel{7});
    ASSERT_TRUE(wait_for_records(file(), 1));
    ASSERT_FALSE(answered<packet::PubComp>(7, 300ms)) << "its staged copy would come back";
    triggerd_->kill();
  }
  kill_and_restart();
  send(packet::PubRel{7});
  ASSERT_TRUE(answered<packet::PubComp>(7));
  ASSERT_TRUE(wait_for_records(file(), 2));
  EXPECT_EQ(message_ids().size(), 1U) << "handled again, but the same message";
}

TEST_F(AcknowledgeTest, Qos2KilledAfterItsCommitAndBeforePubcomp) {
  start(kHangs, "mode = \"hang\"");
  send(publish(7, 2, "once"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  send(packet::PubRel{7});
  ASSERT_TRUE(answered<packet::PubComp>(7));  // which the server loses
  ASSERT_TRUE(wait_for_calls(file(), 1));     // the disk may have been quicker
  kill_and_restart();
  send(packet::PubRel{7});
  ASSERT_TRUE(answered<packet::PubComp>(7));
  ASSERT_TRUE(wait_for_calls(file(), 2)) << "from its row, once in each run";
  EXPECT_EQ(message_ids().size(), 1U);
  EXPECT_EQ(rows(*triggerd_, "message"), 1);
  EXPECT_EQ(rows(*triggerd_, "staged"), 0);
}

TEST_F(AcknowledgeTest, ARepeatedPubrelWaitsAsTheFirstOneDid) {
  start("");
  send(publish(7, 2, "once"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  const LockedInbox lock(*triggerd_);
  send(packet::PubRel{7});
  ASSERT_TRUE(wait_for_records(file(), 1));
  drop_connection();
  send(packet::PubRel{7});
  EXPECT_FALSE(answered<packet::PubComp>(7, 300ms));
}

TEST_F(AcknowledgeTest, APubrelThatComesTwiceIsAnsweredTwice) {
  start("acknowledge = \"finished\"", "mode = \"payload-delay\"");
  send(publish(7, 2, "300"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  send(packet::PubRel{7});
  send(packet::PubRel{7});
  const auto first = broker_.wait_for<packet::PubComp>(from_);
  ASSERT_TRUE(first);
  EXPECT_TRUE(broker_.wait_for<packet::PubComp>(first->index + 1));
  EXPECT_EQ(records(file(), "end").size(), 1U);
}

TEST_F(AcknowledgeTest, FinishedQos2WaitsForTheService) {
  start("acknowledge = \"finished\"", "mode = \"payload-delay\"");
  send(publish(7, 2, "400"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  send(packet::PubRel{7});
  ASSERT_TRUE(wait_for_calls(file(), 1));
  EXPECT_FALSE(answered<packet::PubComp>(7, 100ms));
  EXPECT_EQ(rows(*triggerd_, "staged"), 1);
  ASSERT_TRUE(answered<packet::PubComp>(7));
  EXPECT_EQ(rows(*triggerd_, "staged"), 0);
}

TEST_F(AcknowledgeTest, StagedMessagesOfALostSessionAreAccepted) {
  start("");
  send(publish(7, 2, "ours by now"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  triggerd_->kill();
  broker_.on(packet::Type::connect, connack(false));
  from_ = broker_.packets().size();
  triggerd_->start();
  wait_for_subscription();
  ASSERT_TRUE(wait_for_records(file(), 1)) << triggerd_->output();
  EXPECT_EQ(records(file())[0].hash, fnv1a("ours by now"));
  EXPECT_TRUE(eventually([&] { return rows(*triggerd_, "staged") == 0; }));
  EXPECT_TRUE(triggerd_->wait_for_event("inbox.adopted", {"trigger=t"}));
}

// ---- Hostile input ----

TEST_F(AcknowledgeTest, AMessageSplitAtEveryByteArrivesWhole) {
  start("");
  std::size_t sent = 0;
  const std::string whole = packet::encode(publish(1, 1, "split me"));
  for (std::size_t at = 1; at < whole.size(); ++at) {
    packet::Publish message = publish(static_cast<std::uint16_t>(at), 1, "split me");
    broker_.send(connection_, Reply().send_split(packet::encode(message), at, 2ms));
    ++sent;
    ASSERT_TRUE(answered<packet::PubAck>(static_cast<std::uint16_t>(at)));
  }
  ASSERT_TRUE(wait_for_calls(file(), sent));
  for (const Record& record : records(file())) EXPECT_EQ(record.hash, fnv1a("split me"));
}

TEST_F(AcknowledgeTest, ALengthOf256MegabytesEndsTheConnectionWithAReason) {
  start("");
  const std::size_t connection = connection_;
  broker_.send(connection_,
               Reply().send(packet::encode_header(packet::Type::publish, 0, 268'435'455)));
  ASSERT_TRUE(broker_.wait_for_end(connection)) << triggerd_->output();
  EXPECT_TRUE(triggerd_->wait_for_event(
      "connection.failed", {"the server announced a packet of 268435455 bytes", "trigger=t"}));
  wait_for_subscription();
  send(publish(1, 1, "still here"));
  EXPECT_TRUE(answered<packet::PubAck>(1));
}

TEST_F(AcknowledgeTest, GarbageEndsTheConnectionAndNothingElse) {
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

TEST_F(AcknowledgeTest, AcknowledgementsForNobodyAreIgnored) {
  start("");
  for (const packet::Any& packet :
       std::vector<packet::Any>{packet::PubAck{77}, packet::PubRec{78}, packet::PubComp{79}}) {
    send(packet);
  }
  send(packet::PubRel{81});
  EXPECT_TRUE(answered<packet::PubComp>(81)) << "so that the server forgets it";
  send(publish(1, 1, "still here"));
  EXPECT_TRUE(answered<packet::PubAck>(1)) << triggerd_->output();
}

}  // namespace
}  // namespace triggerd::test
