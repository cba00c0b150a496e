#include "trigger/dead_letter_writer.hpp"

#include <gtest/gtest.h>

#include <string>

#include "config/trigger.hpp"
#include "inbox/inbox.hpp"
#include "support/sqlite_connection.hpp"
#include "support/temp_dir.hpp"
#include "unit/dispatch/messages.hpp"
#include "unit/mqtt/session/connection_fixture.hpp"

namespace triggerd::trigger {
namespace {

class DeadLetterWriterTest : public mqtt::test::FakedConnection {
 protected:
  DeadLetterWriterTest() {
    config_.name = "t";
    config_.alias = "plant";
    options_.servers = {{.host = "one", .port = 1883}};
    resolver_.addresses = {{"one", {"10.0.0.1"}}};
  }
  // Its alias, connected, has a topic for dead letters.
  void up() {
    open();
    connected();
    publisher_.add("plant", connection_);
    config_.dead_letter_topic = "dead";
  }

  config::Trigger config_;
  triggerd::test::TempDir dir_;
  std::unique_ptr<inbox::Inbox> inbox_ = inbox::Inbox::open(dir_ / "inbox").value();
  Publisher publisher_;
  DeadLetterWriter writer_{config_, inbox_->dead_letters(), publisher_, clock_, log_};
};

TEST_F(DeadLetterWriterTest, ADeadLetterHasAllOfItsMessage) {
  mqtt::Message message = dispatch::test::message("topic", "payload");
  message.qos = 1;
  message.retained = true;
  const dispatch::DeliveryPtr delivery = dispatch::test::delivery(std::move(message));
  delivery->attempts = 3;
  const auto number = writer_.write(*delivery, "refused");
  ASSERT_TRUE(number) << number.error().message;
  EXPECT_EQ(writer_.written(), 1U);
  const auto kept = inbox_->dead_letters().newest("t", 10);
  ASSERT_TRUE(kept) << kept.error().message;
  ASSERT_EQ(kept->size(), 1U);
  const inbox::DeadLetter& letter = kept->front();
  EXPECT_EQ(letter.message_id, delivery->id);
  EXPECT_EQ(letter.topic, "topic");
  EXPECT_EQ(letter.payload, "payload");
  EXPECT_EQ(letter.qos, 1);
  EXPECT_TRUE(letter.retained);
  EXPECT_EQ(letter.reason, "refused");
  EXPECT_EQ(letter.attempts, 3U);
  EXPECT_EQ(letter.died, clock_.wall());
}

TEST_F(DeadLetterWriterTest, OneThatCannotBeWrittenIsNotCounted) {
  const triggerd::test::SqliteConnection other((dir_ / "inbox").string());
  ASSERT_EQ(other.run("DROP TABLE dead_letter"), SQLITE_OK);
  const auto number = writer_.write(*dispatch::test::delivery("topic"), "refused");
  ASSERT_FALSE(number);
  EXPECT_NE(number.error().message.find("dead_letter"), std::string::npos)
      << number.error().message;
  EXPECT_EQ(writer_.written(), 0U);
}

TEST_F(DeadLetterWriterTest, ItIsPublishedOnlyWhereTheTriggerHasATopicForIt) {
  const dispatch::DeliveryPtr delivery = dispatch::test::delivery("topic");
  writer_.publish(*delivery, false);
  EXPECT_TRUE(log_.lines("dead_letter.not_published").empty());
  config_.dead_letter_topic = "dead";
  writer_.publish(*delivery, false);
  EXPECT_NE(log_.last("dead_letter.not_published").find("cannot publish a dead letter to \"dead\""),
            std::string::npos)
      << "its alias is not running";
}

TEST_F(DeadLetterWriterTest, ItIsPublishedWithQos1ByItsAlias) {
  up();
  writer_.publish(*dispatch::test::delivery(dispatch::test::message("topic", "payload")), false);
  ASSERT_EQ(asked_.publishes.size(), 1U);
  EXPECT_EQ(asked_.publishes[0].topic, "dead");
  EXPECT_EQ(asked_.publishes[0].payload, "payload");
  EXPECT_EQ(asked_.publishes[0].qos, 1);
  asked_.publishes[0].done({});
  EXPECT_TRUE(log_.lines("dead_letter.not_published").empty());
}

TEST_F(DeadLetterWriterTest, OneThatTheServerDoesNotTakeIsReported) {
  up();
  writer_.publish(*dispatch::test::delivery("topic"), false);
  ASSERT_EQ(asked_.publishes.size(), 1U);
  asked_.publishes[0].done(fail("not authorized"));
  EXPECT_EQ(log_.last("dead_letter.not_published"),
            "cannot publish a dead letter to \"dead\": not authorized");
}

TEST_F(DeadLetterWriterTest, WithoutAConnectionItIsReportedAtOnce) {
  up();
  lost();
  writer_.publish(*dispatch::test::delivery("topic"), false);
  EXPECT_TRUE(asked_.publishes.empty());
  EXPECT_EQ(log_.last("dead_letter.not_published"),
            "cannot publish a dead letter to \"dead\": the alias is not connected");
}

TEST_F(DeadLetterWriterTest, ToAServerThatSpeaksMqtt5ItsPropertiesGoWithIt) {
  options_.protocol = config::Protocol::v5;
  up();
  mqtt::Message message = dispatch::test::message("topic");
  message.mqtt5 = true;
  mqtt::encode_property(message.properties, {.id = 0x26, .name = "k", .value = "v"});
  const auto delivery = dispatch::test::delivery(std::move(message));
  writer_.publish(*delivery, true);
  writer_.publish(*delivery, false);
  ASSERT_EQ(asked_.publishes.size(), 2U);
  EXPECT_EQ(asked_.publishes[0].properties, 1U);
  EXPECT_EQ(asked_.publishes[1].properties, 0U);
}

}  // namespace
}  // namespace triggerd::trigger
