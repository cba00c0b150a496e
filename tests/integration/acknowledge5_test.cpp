// The same as acknowledge_test.cpp on MQTT 5, where the library hands a QoS 2 message over with its
// PUBLISH: the message and its key are written together before PUBREC, whatever is killed when.
#include <gtest/gtest.h>

#include "integration/acknowledge_fixture.hpp"

namespace triggerd::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kHangs = "service = \"recorder:misbehave\"\ntimeout = \"1h\"\n";

class Acknowledge5Test : public AcknowledgeFixture {
 protected:
  Acknowledge5Test() { alias_keys_ = "protocol = \"5\"\n"; }
};

// ---- QoS 1 ----

TEST_F(Acknowledge5Test, DurableWaitsForTheDiskWhereTheServiceIsSlow) {
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

TEST_F(Acknowledge5Test, FinishedHoldsBackUntilTheServiceIsDoneAndKeepsTheOrder) {
  start("acknowledge = \"finished\"\nconcurrency = 3\norder = \"none\"",
        "mode = \"payload-delay\"");
  const std::vector<std::string> delays{"500", "200", "1"};
  for (std::uint16_t id = 1; id <= 3; ++id) send(publish(id, 1, delays[id - 1U]));
  ASSERT_TRUE(answered<packet::PubAck>(3)) << triggerd_->output();
  std::vector<std::uint16_t> acknowledged;
  for (const Received& received : broker_.packets()) {
    if (const auto* ack = std::get_if<packet::PubAck>(&received.packet)) {
      acknowledged.push_back(ack->packet_id);
    }
  }
  EXPECT_EQ(acknowledged, (std::vector<std::uint16_t>{1, 2, 3}));
  EXPECT_EQ(records(file(), "end").front().hash, fnv1a("1")) << "the last one was done first";
}

TEST_F(Acknowledge5Test, ARedeliveredMessageIsHandledOnceWhereItsRowIsStillThere) {
  start(kHangs, "mode = \"hang\"");
  packet::Publish message = publish(1, 1, "one");
  message.properties = packet::u32_property(0x02, 1000);
  send(message);
  ASSERT_TRUE(answered<packet::PubAck>(1));  // which the server loses
  ASSERT_TRUE(wait_for_calls(file(), 1));
  kill_and_restart();
  message.dup = true;
  message.properties = packet::u32_property(0x02, 999);  // the server counts down
  send(message);
  ASSERT_TRUE(answered<packet::PubAck>(1)) << triggerd_->output();
  ASSERT_TRUE(wait_for_calls(file(), 2)) << "each run tried it";
  EXPECT_EQ(message_ids().size(), 1U);
  EXPECT_EQ(rows(*triggerd_, "message"), 1);
}

// ---- QoS 2: killed at each point, accepted once ----

TEST_F(Acknowledge5Test, Qos2KilledBeforePubrec) {
  start("");
  {
    const LockedInbox lock(*triggerd_);
    send(publish(7, 2, "once"));
    ASSERT_FALSE(answered<packet::PubRec>(7, 300ms)) << "its key is not written yet";
    triggerd_->kill();
  }
  kill_and_restart();
  const std::size_t before = records(file()).size();
  send(publish(7, 2, "once", true));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  EXPECT_EQ(rows(*triggerd_, "staged"), 1);
  ASSERT_TRUE(wait_for_calls(file(), before + 1)) << "nothing of it was kept, so it comes again";
  send(packet::PubRel{7});
  ASSERT_TRUE(answered<packet::PubComp>(7));
  EXPECT_EQ(rows(*triggerd_, "staged"), 0);
  EXPECT_EQ(records(file()).size(), before + 1);
}

TEST_F(Acknowledge5Test, Qos2KilledAfterPubrecItIsFinished) {
  start("");
  send(publish(7, 2, "once"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  ASSERT_TRUE(wait_for_records(file(), 1)) << "handed over with its PUBLISH";
  ASSERT_TRUE(eventually([&] { return rows(*triggerd_, "message") == 0; }));
  kill_and_restart();
  send(publish(7, 2, "once", true));  // the server has lost the PUBREC
  ASSERT_TRUE(answered<packet::PubRec>(7)) << triggerd_->output();
  send(packet::PubRel{7});
  ASSERT_TRUE(answered<packet::PubComp>(7));
  EXPECT_EQ(rows(*triggerd_, "staged"), 0);
  send(publish(7, 2, "another"));  // its packet id is free again
  ASSERT_TRUE(answered<packet::PubRec>(7)) << triggerd_->output();
  ASSERT_TRUE(wait_for_records(file(), 2));
  const auto got = records(file());
  ASSERT_EQ(got.size(), 2U) << "the repetition was no message";
  EXPECT_EQ(got[0].qos, 2U);
  EXPECT_EQ(got[0].hash, fnv1a("once"));
  EXPECT_EQ(got[1].hash, fnv1a("another"));
}

TEST_F(Acknowledge5Test, Qos2KilledAfterPubrecWhileTheServiceHasIt) {
  start(kHangs, "mode = \"hang\"");
  send(publish(7, 2, "once"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  ASSERT_TRUE(wait_for_calls(file(), 1));
  EXPECT_EQ(rows(*triggerd_, "message"), 1);
  EXPECT_EQ(rows(*triggerd_, "staged"), 1) << "both in one transaction";
  kill_and_restart();
  send(publish(7, 2, "once", true));
  ASSERT_TRUE(answered<packet::PubRec>(7)) << triggerd_->output();
  ASSERT_TRUE(wait_for_calls(file(), 2)) << "from its row, once in each run";
  send(packet::PubRel{7});
  ASSERT_TRUE(answered<packet::PubComp>(7));
  EXPECT_EQ(message_ids().size(), 1U) << "the same message";
  EXPECT_EQ(rows(*triggerd_, "message"), 1);
  EXPECT_EQ(rows(*triggerd_, "staged"), 0);
}

TEST_F(Acknowledge5Test, Qos2KilledBeforePubcomp) {
  start("");
  send(publish(7, 2, "once"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  ASSERT_TRUE(wait_for_records(file(), 1));
  ASSERT_TRUE(eventually([&] { return rows(*triggerd_, "message") == 0; }));
  {
    const LockedInbox lock(*triggerd_);
    send(packet::PubRel{7});
    ASSERT_FALSE(answered<packet::PubComp>(7, 300ms))
        << "its key would take the next message 7 for a repetition";
    triggerd_->kill();
  }
  kill_and_restart();
  send(packet::PubRel{7});
  ASSERT_TRUE(answered<packet::PubComp>(7));
  EXPECT_EQ(rows(*triggerd_, "staged"), 0);
  send(publish(7, 2, "another"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  ASSERT_TRUE(wait_for_records(file(), 2));
  EXPECT_EQ(records(file()).size(), 2U);
}

TEST_F(Acknowledge5Test, Qos2KilledAfterItsKeyWasDroppedAndBeforePubcomp) {
  start("");
  send(publish(7, 2, "once"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  send(packet::PubRel{7});
  ASSERT_TRUE(answered<packet::PubComp>(7));  // which the server loses
  ASSERT_TRUE(wait_for_records(file(), 1));
  ASSERT_TRUE(eventually([&] { return rows(*triggerd_, "message") == 0; }));
  kill_and_restart();
  send(packet::PubRel{7});
  ASSERT_TRUE(answered<packet::PubComp>(7)) << "so that the server forgets it";
  EXPECT_EQ(records(file()).size(), 1U);
}

// ---- QoS 2 without a kill ----

TEST_F(Acknowledge5Test, Qos2RepeatedOnANewConnectionIsOneMessage) {
  start("");
  send(publish(7, 2, "once"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  ASSERT_TRUE(wait_for_records(file(), 1));
  drop_connection();
  send(publish(7, 2, "once", true));
  ASSERT_TRUE(answered<packet::PubRec>(7)) << triggerd_->output();
  send(packet::PubRel{7});
  ASSERT_TRUE(answered<packet::PubComp>(7));
  send(publish(8, 2, "another"));
  ASSERT_TRUE(answered<packet::PubRec>(8));
  ASSERT_TRUE(wait_for_records(file(), 2));
  EXPECT_EQ(records(file()).size(), 2U);
}

TEST_F(Acknowledge5Test, ARepetitionIsAcknowledgedNoSoonerThanTheFirst) {
  start("acknowledge = \"finished\"", "mode = \"payload-delay\"");
  send(publish(7, 2, "2500"));
  ASSERT_TRUE(wait_for_calls(file(), 1));
  EXPECT_FALSE(answered<packet::PubRec>(7, 100ms)) << "the server keeps it for the service";
  drop_connection();
  send(publish(7, 2, "2500", true));
  EXPECT_FALSE(answered<packet::PubRec>(7, 200ms));
  ASSERT_TRUE(answered<packet::PubRec>(7)) << triggerd_->output();
  EXPECT_EQ(records(file(), "end").size(), 1U);
  EXPECT_EQ(records(file()).size(), 1U);
  send(packet::PubRel{7});
  ASSERT_TRUE(answered<packet::PubComp>(7));
  EXPECT_EQ(rows(*triggerd_, "staged"), 0);
  EXPECT_EQ(rows(*triggerd_, "message"), 0) << "the server had it, so the inbox need not";
}

TEST_F(Acknowledge5Test, ReceivedWaitsForNothing) {
  start(std::string("acknowledge = \"received\"\n") + kHangs, "mode = \"hang\"");
  const LockedInbox lock(*triggerd_);
  send(publish(1, 1, "one"));
  EXPECT_TRUE(answered<packet::PubAck>(1));
  send(publish(2, 2, "two"));
  EXPECT_TRUE(answered<packet::PubRec>(2));
  send(packet::PubRel{2});
  EXPECT_TRUE(answered<packet::PubComp>(2));
}

TEST_F(Acknowledge5Test, KeysOfALostSessionTakeNothingForARepetition) {
  start("");
  send(publish(7, 2, "once"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  ASSERT_TRUE(wait_for_records(file(), 1));
  triggerd_->kill();
  broker_.on(packet::Type::connect, connack(false));
  from_ = broker_.packets().size();
  triggerd_->start();
  wait_for_subscription();
  EXPECT_TRUE(eventually([&] { return rows(*triggerd_, "staged") == 0; }));
  send(publish(7, 2, "of the new session"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  ASSERT_TRUE(wait_for_records(file(), 2)) << triggerd_->output();
  EXPECT_EQ(records(file()).back().hash, fnv1a("of the new session"));
}

TEST_F(Acknowledge5Test, TheSameWithinOneProcess) {
  start(kHangs, "mode = \"hang\"");
  send(publish(7, 2, "once"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  broker_.on(packet::Type::connect, connack(false));
  from_ = broker_.packets().size();
  broker_.send(connection_, Reply().close());
  wait_for_subscription();
  send(publish(7, 2, "of the new session"));
  ASSERT_TRUE(answered<packet::PubRec>(7)) << triggerd_->output();
  EXPECT_TRUE(eventually([&] { return rows(*triggerd_, "message") == 2; }));
  EXPECT_EQ(rows(*triggerd_, "staged"), 1);
}

// ---- What servers write in other ways ----

TEST_F(Acknowledge5Test, PubrelMayCarryAReasonAndProperties) {
  start("");
  send(publish(7, 2, "once"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  send(packet::PubRel{
      7, 0x92, packet::text_property(0x1f, "who are you") + packet::user_property("a", "b")});
  ASSERT_TRUE(answered<packet::PubComp>(7)) << triggerd_->output();
  EXPECT_TRUE(eventually([&] { return rows(*triggerd_, "staged") == 0; }));
}

TEST_F(Acknowledge5Test, AMessageSplitAtEveryByteArrivesWhole) {
  start("");
  packet::Publish message = publish(1, 1, "split me");
  message.properties = packet::user_property("key", "value") + packet::text_property(0x03, "text");
  const std::size_t size = packet::encode(message, packet::k5).size();
  for (std::size_t at = 1; at < size; ++at) {
    message.packet_id = static_cast<std::uint16_t>(at);
    broker_.send(connection_, Reply().send_split(packet::encode(message, packet::k5), at, 2ms));
    ASSERT_TRUE(answered<packet::PubAck>(message.packet_id)) << at << triggerd_->output();
  }
  ASSERT_TRUE(wait_for_calls(file(), size - 1));
  for (const Record& record : records(file())) EXPECT_EQ(record.hash, fnv1a("split me"));
}

TEST_F(Acknowledge5Test, AcknowledgementsForNobodyAreIgnored) {
  start("");
  for (const packet::Any& packet : std::vector<packet::Any>{
           packet::PubAck{77, 0x10}, packet::PubRec{78, 0x97}, packet::PubComp{79, 0x92}}) {
    send(packet);
  }
  send(packet::PubRel{81});
  EXPECT_TRUE(answered<packet::PubComp>(81)) << "so that the server forgets it";
  send(publish(1, 1, "still here"));
  EXPECT_TRUE(answered<packet::PubAck>(1)) << triggerd_->output();
}

}  // namespace
}  // namespace triggerd::test
