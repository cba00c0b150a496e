#include "trigger/dead_letter_writer.hpp"

#include <gtest/gtest.h>

#include <string>

#include "config/trigger.hpp"
#include "inbox/inbox.hpp"
#include "support/capture_log.hpp"
#include "support/temp_dir.hpp"
#include "unit/dispatch/messages.hpp"

namespace triggerd::trigger {
namespace {

class DeadLetterWriterTest : public testing::Test {
 protected:
  DeadLetterWriterTest() {
    config_.name = "t";
    config_.alias = "a";
  }

  config::Trigger config_;
  test::TempDir dir_;
  std::unique_ptr<inbox::Inbox> inbox_ = inbox::Inbox::open(dir_ / "inbox").value();
  Publisher publisher_;
  test::CaptureLog log_;
  DeadLetterWriter writer_{config_, inbox_->dead_letters(), publisher_, log_};
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

}  // namespace
}  // namespace triggerd::trigger
