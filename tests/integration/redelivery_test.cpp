// What a server sends again because it has no acknowledgement for it, over both versions of MQTT:
// the same message once where it is certain that it is the same, and nothing lost where it is not.
#include <gtest/gtest.h>

#include <csignal>

#include "integration/acknowledge_fixture.hpp"

namespace triggerd::test {
namespace {

class RedeliveryTest : public BothVersions {
 protected:
  // How many messages the inbox has, whatever they were tried.
  int different_messages() const {
    return rows(*triggerd_, "(SELECT DISTINCT message_id FROM message)");
  }
};
INSTANTIATE_TEST_SUITE_P(, RedeliveryTest, BothVersions::versions(), BothVersions::version_name);

// ---- QoS 1: the same ----

TEST_P(RedeliveryTest, AMessageIsHandledOnceWhereItsFirstDeliveryIsStillThere) {
  start(kFinishedSideBySide, waiting());
  packet::Publish message = publish(1, 1, "wait");
  if (v5()) message.properties = packet::u32_property(0x02, 1000);
  send(message);
  ASSERT_TRUE(wait_for_calls(file(), 1));
  drop_connection();
  message.dup = true;
  if (v5()) message.properties = packet::u32_property(0x02, 999);  // the server counts down
  send(message);
  wait_until_taken();
  EXPECT_TRUE(acknowledged<packet::PubAck>().empty()) << "the first is not done";
  let_go();
  ASSERT_TRUE(answered<packet::PubAck>(1));
  EXPECT_EQ(calls_for("wait"), 1U);
  EXPECT_EQ(calls_for("wait", "end"), 1U);
}

TEST_P(RedeliveryTest, AllThatIsUnderWayIsHandledOnceHoweverOftenTheConnectionBreaks) {
  start(kFinishedSideBySide, waiting());
  for (std::uint16_t id = 1; id <= 3; ++id) send(publish(id, 1, "wait"));
  ASSERT_TRUE(wait_for_calls(file(), 3));
  for (int i = 0; i < 3; ++i) {
    drop_connection();
    for (std::uint16_t id = 1; id <= 3; ++id) send(publish(id, 1, "wait", true));
    wait_until_taken();
  }
  let_go();
  ASSERT_TRUE(answered<packet::PubAck>(3));
  const auto in_order = acknowledged<packet::PubAck>();
  ASSERT_GE(in_order.size(), 3U);
  EXPECT_EQ(std::vector(in_order.begin(), in_order.begin() + 3),
            (std::vector<std::uint16_t>{1, 2, 3}));
  EXPECT_EQ(calls_for("wait"), 3U);
}

// It is on disk by the time that it comes again, but its acknowledgement has never left.
TEST_P(RedeliveryTest, AMessageIsHandledOnceWhereItsConnectionWasGoneBeforeItWasWritten) {
  start(kHangs, "mode = \"hang\"");
  {
    const LockedInbox lock(*triggerd_);
    send(publish(1, 1, "one"));
    ASSERT_TRUE(wait_for_calls(file(), 1));
    const std::size_t connection = connection_;
    broker_.on(packet::Type::connect, connack(true));
    forget_answers();
    broker_.send(connection, Reply().close());
    ASSERT_TRUE(triggerd_->wait_for_event("connection.failed", {"trigger=t"}));
  }
  wait_for_subscription();
  ASSERT_TRUE(rows_become("message", 1));
  send(publish(1, 1, "one", true));
  ASSERT_TRUE(answered<packet::PubAck>(1));
  EXPECT_EQ(rows(*triggerd_, "message"), 1);
}

// ---- QoS 1: another, or nobody knows ----

// That it is another message where its content is another, where the session was lost, or where the
// first one was acknowledged by the same process: unit/dispatch/redelivery_filter_test.cpp and
// intake_test.cpp.

// A server that gives out the lowest free packet id: A is acknowledged, so B, which happens to say
// the same, gets its id; and B is lost on the way.
TEST_P(RedeliveryTest, AnAcknowledgedMessageOfTheInboxTakesNothingForItself) {
  start(kHangs, "mode = \"hang\"");
  send(publish(1, 1, "the same"));
  ASSERT_TRUE(answered<packet::PubAck>(1));
  ASSERT_TRUE(wait_for_calls(file(), 1));
  ASSERT_EQ(rows(*triggerd_, "message"), 1);
  triggerd_->process().signal(SIGSTOP);
  send(publish(1, 1, "the same"));  // nobody reads it
  kill_and_restart();
  send(publish(1, 1, "the same", true));
  ASSERT_TRUE(answered<packet::PubAck>(1));
  EXPECT_EQ(rows(*triggerd_, "message"), 2);
  EXPECT_EQ(different_messages(), 2);
}

// Nobody sends it again, so it is kept at the stop.
TEST_P(RedeliveryTest, AMessageOfALostSessionIsKeptAtTheStop) {
  start("acknowledge = \"finished\"\n" + std::string(kHangs), "mode = \"never\"");
  send(publish(1, 1, "at least once"));
  send(publish(2, 2, "exactly once"));
  ASSERT_TRUE(wait_for_calls(file(), 1));
  drop_connection(false);
  send(publish(3, 1, "the server has it"));
  ASSERT_TRUE(wait_for_calls(file(), 1));
  EXPECT_EQ(triggerd_->stop(), Exit{});
  EXPECT_EQ(rows(*triggerd_, "message WHERE payload = CAST('at least once' AS BLOB)"), 1);
  EXPECT_EQ(rows(*triggerd_, "message WHERE payload = CAST('exactly once' AS BLOB)"), 1);
  EXPECT_EQ(rows(*triggerd_, "message"), 2);
  EXPECT_EQ(rows(*triggerd_, "awaiting_pubrel"), 0);
}

// ---- A message that nobody wants ----

// It came already, so it is no news; but what came is not safe yet.
TEST_P(RedeliveryTest, ARetainedMessageThatIsUnderWayIsNotAcknowledgedForBeingNoNews) {
  start("retained = \"once\"\n" + std::string(kFinishedSideBySide), waiting());
  packet::Publish at_least_once = publish(1, 1, "wait at least once");
  packet::Publish exactly_once = publish(2, 2, "wait exactly once");
  exactly_once.topic = "x/2";
  for (const bool again : {false, true}) {
    for (packet::Publish* const message : {&at_least_once, &exactly_once}) {
      message->retain = true;
      message->dup = again;
      send(*message);
    }
    wait_until_taken();
    ASSERT_TRUE(eventually([&] {
      return calls_for("wait at least once") == 1 && calls_for("wait exactly once") == 1;
    }));
    if (!again) drop_connection();
  }
  EXPECT_TRUE(acknowledged<packet::PubAck>().empty()) << "it is not finished";
  EXPECT_TRUE(acknowledged<packet::PubRec>().empty()) << "nor is this one";
  let_go();
  ASSERT_TRUE(answered<packet::PubAck>(1));
  ASSERT_TRUE(answered<packet::PubRec>(2));
  EXPECT_EQ(calls_for("wait at least once"), 1U);
  EXPECT_EQ(calls_for("wait exactly once"), 1U);
}

// ---- QoS 2: packet ids that the server has for others by now ----

// A server forgets a message whose expiry is over although nobody has confirmed it, and gives its
// packet id to another one.
TEST_P(RedeliveryTest, APacketIdThatComesWithoutDupIsOfANewMessage) {
  start(kHangs, "mode = \"hang\"");
  send(publish(7, 2, "the server has forgotten it"));
  ASSERT_TRUE(answered<packet::PubRec>(7));  // which it did not get
  ASSERT_TRUE(wait_for_calls(file(), 1));
  for (const bool killed : {true, false}) {
    if (killed) {
      kill_and_restart();
    } else {
      drop_connection();
    }
    const int before = rows(*triggerd_, "message");
    send(publish(7, 2, "another"));
    ASSERT_TRUE(answered<packet::PubRec>(7));
    EXPECT_EQ(rows(*triggerd_, "message"), before + 1);
    EXPECT_EQ(rows(*triggerd_, "awaiting_pubrel"), 1);
    EXPECT_EQ(rows(*triggerd_, "message JOIN awaiting_pubrel USING (message_id)"), 1);
  }
  forget_answers();
  send(publish(7, 2, "another", true));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  EXPECT_EQ(rows(*triggerd_, "message"), 3) << "with DUP it is the same";
}

// With "received" nothing is kept: what was kept before must not be there when it is "durable"
// again, and the server has other messages under these ids.
TEST_P(RedeliveryTest, IdsThatWereKeptBeforeReceivedTakeNothingAfterIt) {
  start("");
  send(publish(7, 2, "once"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  ASSERT_TRUE(wait_for_records(file(), 1));
  ASSERT_TRUE(rows_become("message", 0));
  triggerd_->kill();
  triggerd_->write_config(config("acknowledge = \"received\"\n"));
  restart();
  send(publish(7, 2, "once", true));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  send(packet::PubRel{7});
  ASSERT_TRUE(answered<packet::PubComp>(7));
  EXPECT_EQ(records(file()).size(), 1U) << "it is known, as long as this process lives";
  EXPECT_TRUE(rows_become("awaiting_pubrel", 0));
  triggerd_->kill();
  triggerd_->write_config(config(""));
  restart();
  send(publish(7, 2, "another", true));  // its first sending was lost
  ASSERT_TRUE(answered<packet::PubRec>(7));
  ASSERT_TRUE(wait_for_records(file(), 2));
  EXPECT_EQ(records(file()).back().hash, fnv1a("another"));
}

}  // namespace
}  // namespace triggerd::test
