// What a server sends again because it has no acknowledgement for it, over both versions of MQTT:
// the same message once where it is certain that it is the same, and nothing lost where it is not.
#include <gtest/gtest.h>

#include <csignal>

#include "integration/acknowledge_fixture.hpp"

namespace triggerd::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kFinishedSideBySide =
    "acknowledge = \"finished\"\nconcurrency = 4\norder = \"none\"\n";

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
  start("acknowledge = \"finished\"", "mode = \"payload-delay\"");
  packet::Publish message = publish(1, 1, "3500");
  if (v5()) message.properties = packet::u32_property(0x02, 1000);
  send(message);
  ASSERT_TRUE(wait_for_calls(file(), 1));
  drop_connection();
  message.dup = true;
  if (v5()) message.properties = packet::u32_property(0x02, 999);  // the server counts down
  send(message);
  ASSERT_TRUE(answered<packet::PubAck>(1)) << "when the first is done";
  EXPECT_EQ(records(file()).size(), 1U);
  EXPECT_EQ(records(file(), "end").size(), 1U);
}

TEST_P(RedeliveryTest, AMessageIsHandledOnceHoweverOftenTheConnectionBreaks) {
  start(kFinishedSideBySide, "mode = \"payload-delay\"");
  for (std::uint16_t id = 1; id <= 3; ++id) send(publish(id, 1, "4000"));
  ASSERT_TRUE(wait_for_calls(file(), 3));
  for (int i = 0; i < 3; ++i) {
    drop_connection();
    for (std::uint16_t id = 1; id <= 3; ++id) send(publish(id, 1, "4000", true));
  }
  ASSERT_TRUE(answered<packet::PubAck>(3));
  EXPECT_EQ(records(file()).size(), 3U);
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

TEST_P(RedeliveryTest, AllThatWasUnderWayIsHandledOnce) {
  start(kFinishedSideBySide, "mode = \"payload-delay\"");
  for (std::uint16_t id = 1; id <= 4; ++id) send(publish(id, 1, "3500"));
  ASSERT_TRUE(wait_for_calls(file(), 4));
  drop_connection();
  for (std::uint16_t id = 1; id <= 4; ++id) send(publish(id, 1, "3500", true));
  ASSERT_TRUE(answered<packet::PubAck>(4));
  EXPECT_EQ(acknowledged<packet::PubAck>(), (std::vector<std::uint16_t>{1, 2, 3, 4}));
  EXPECT_EQ(records(file()).size(), 4U);
}

// ---- QoS 1: another, or nobody knows ----

TEST_P(RedeliveryTest, AnotherContentIsAnotherMessage) {
  start(kFinishedSideBySide, "mode = \"payload-delay\"");
  send(publish(1, 1, "3500"));
  ASSERT_TRUE(wait_for_calls(file(), 1));
  drop_connection();
  send(publish(1, 1, "2", true));
  ASSERT_TRUE(wait_for_calls(file(), 2));
  EXPECT_EQ(message_ids().size(), 2U);
}

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

TEST_P(RedeliveryTest, AnAcknowledgedMessageTakesNothingForItselfWithinOneProcess) {
  start(kHangs, "mode = \"hang\"");
  send(publish(1, 1, "the same"));
  ASSERT_TRUE(answered<packet::PubAck>(1));
  ASSERT_TRUE(rows_become("message", 1));
  drop_connection();  // with B on the way
  send(publish(1, 1, "the same", true));
  ASSERT_TRUE(answered<packet::PubAck>(1));
  EXPECT_EQ(rows(*triggerd_, "message"), 2);
  EXPECT_EQ(different_messages(), 2);
}

// A server that has lost the session gives its packet ids to other messages, which may say the same
// and be lost on the way.
TEST_P(RedeliveryTest, AMessageOfALostSessionTakesNothingForItself) {
  start(kFinishedSideBySide, "mode = \"payload-delay\"");
  send(publish(1, 1, "3000"));
  ASSERT_TRUE(wait_for_calls(file(), 1));
  drop_connection(false);
  drop_connection();
  send(publish(1, 1, "3000", true));
  ASSERT_TRUE(answered<packet::PubAck>(1));
  EXPECT_EQ(message_ids().size(), 2U);
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
  start("retained = \"once\"\n" + std::string(kFinishedSideBySide), "mode = \"payload-delay\"");
  packet::Publish at_least_once = publish(1, 1, "2500");
  packet::Publish exactly_once = publish(2, 2, "2600");
  exactly_once.topic = "x/2";
  for (const bool again : {false, true}) {
    for (packet::Publish* const message : {&at_least_once, &exactly_once}) {
      message->retain = true;
      message->dup = again;
      send(*message);
    }
    ASSERT_TRUE(wait_for_calls(file(), 2));
    if (!again) drop_connection();
  }
  ASSERT_TRUE(answered<packet::PubAck>(1));
  EXPECT_GE(records(file(), "end").size(), 1U) << "acknowledged before it was finished";
  ASSERT_TRUE(answered<packet::PubRec>(2));
  EXPECT_EQ(records(file(), "end").size(), 2U) << "acknowledged before it was finished";
  EXPECT_EQ(records(file()).size(), 2U);
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
