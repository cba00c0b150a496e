#include "dispatch/intake.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/capture_log.hpp"
#include "support/temp_dir.hpp"
#include "unit/dispatch/dispatcher_fixture.hpp"
#include "unit/dispatch/receipts.hpp"

namespace triggerd::dispatch {
namespace {

class IntakeTest : public DispatcherTest {
 protected:
  IntakeTest() {
    options_.order.by = config::Order::By::trigger;
    home_.writer = &writer_;
  }
  // The dispatcher's messages live in the intake's memory.
  ~IntakeTest() override { dispatcher_.reset(); }
  Intake& intake() {
    if (!intake_) {
      intake_ = std::make_unique<Intake>(home_, dispatcher(), *inbox_, ids_, clock_, log_);
      EXPECT_TRUE(intake_->load());
    }
    return *intake_;
  }
  mqtt::Message message(const std::string& topic, int qos, std::uint16_t packet_id = 0,
                        bool dup = false) {
    mqtt::Message made = test::message(topic);
    made.qos = qos;
    made.packet_id = packet_id;
    made.dup = dup;
    made.received = clock_.wall();
    return made;
  }
  void receive(const test::FakeConnection& connection, const std::string& topic, int qos,
               std::uint16_t packet_id, bool dup = false) {
    mqtt::Message made = message(topic, qos, packet_id, dup);
    made.receipt = connection.receipt();
    intake().take(std::move(made));
  }
  std::vector<std::string> unfinished() {
    std::vector<std::string> topics;
    dispatcher().for_each_unfinished(
        [&](const DeliveryPtr& delivery) { topics.emplace_back(delivery->message.topic); });
    return topics;
  }
  using Topics = std::vector<std::string>;

  test::FakeConnection first_, second_;
  triggerd::test::TempDir dir_;
  triggerd::test::CaptureLog log_;
  MessageIds ids_;
  DeliveryHome home_{.trigger = "t",
                     .client_id = "c",
                     .acknowledge = config::Acknowledge::finished,
                     .writer = nullptr};
  std::unique_ptr<inbox::Inbox> inbox_ = inbox::Inbox::open(dir_ / "inbox").value();
  inbox::Writer writer_{*inbox_, {.sync_to_disk = false}, [](const auto&) {}};
  std::unique_ptr<Intake> intake_;
};

TEST_F(IntakeTest, WhatComesTogetherIsHandedOnTogetherAndInItsOrder) {
  intake().take(message("a", 0));
  intake().take(message("b", 1, 1));
  EXPECT_EQ(unfinished(), Topics{}) << "the batch goes on";
  intake().end_batch();
  EXPECT_EQ(unfinished(), (Topics{"a", "b"}));
  intake().end_batch();
  EXPECT_EQ(dispatcher().stats().received, 2U);
  EXPECT_EQ(dispatcher().times().batch.count, 1U);
}

TEST_F(IntakeTest, WhatAServerSendsAgainIsNoSecondMessage) {
  receive(first_, "one", 1, 1);
  receive(first_, "two", 2, 2);
  intake().end_batch();
  receive(second_, "one", 1, 1, true);
  receive(second_, "two", 2, 2, true);
  receive(second_, "new", 1, 3, true);
  intake().end_batch();
  EXPECT_EQ(unfinished(), (Topics{"one", "two", "new"}));
  dispatcher().for_each_unfinished([&](const DeliveryPtr& delivery) {
    EXPECT_TRUE(delivery->arrived_with(second_.receipt())) << delivery->message.topic;
  });
}

TEST_F(IntakeTest, WhatIsAcknowledgedWhenItComesIsNotLookedForWithQos1) {
  home_.acknowledge = config::Acknowledge::received;
  intake().take(message("one", 1, 1));
  intake().end_batch();
  intake().take(message("one", 1, 1, true));
  intake().end_batch();
  EXPECT_EQ(unfinished(), (Topics{"one", "one"})) << "as MQTT has it for at least once";
}

TEST_F(IntakeTest, WhatNobodyWantsIsNoMessageAndMayRepeatOneThatWasWanted) {
  mqtt::Message unwanted = message("unwanted", 1, 1);
  intake().refuse(unwanted);
  receive(first_, "wanted", 1, 2);
  intake().end_batch();
  mqtt::Message again = message("wanted", 1, 2, true);
  again.receipt = second_.receipt();
  intake().refuse(again);
  intake().end_batch();
  EXPECT_EQ(unfinished(), Topics{"wanted"});
  dispatcher().for_each_unfinished([&](const DeliveryPtr& delivery) {
    EXPECT_TRUE(delivery->arrived_with(second_.receipt()))
        << "the server waits for its acknowledgement";
  });
}

TEST_F(IntakeTest, ALostSessionMeansNoneOfThePacketIds) {
  receive(first_, "accepted", 1, 1);
  intake().end_batch();
  receive(first_, "in the batch", 2, 2);
  intake().session_lost();
  intake().end_batch();
  dispatcher().for_each_unfinished([](const DeliveryPtr& delivery) {
    EXPECT_TRUE(delivery->id_forgotten()) << delivery->message.topic;
  });
  receive(second_, "accepted", 1, 1, true);
  intake().end_batch();
  EXPECT_EQ(dispatcher().stats().received, 3U) << "another message, whatever it looks like";
}

TEST_F(IntakeTest, WhatTheInboxHasIsReadByTheWindow) {
  home_.acknowledge = config::Acknowledge::durable;
  for (const char* topic : {"a", "b", "c"}) {
    intake().take(message(topic, 1, 1));
    intake().end_batch();
  }
  ASSERT_TRUE(writer_.flush(std::chrono::steady_clock::now() + std::chrono::seconds(20)));
  // Another process, after this one was killed.
  dispatcher_.reset();
  intake_.reset();
  EXPECT_EQ(intake().take_backlog(0).value(), false) << "there is no room";
  EXPECT_EQ(intake().take_backlog(2).value(), false) << "there is more";
  EXPECT_EQ(unfinished(), (Topics{"a", "b"}));
  EXPECT_EQ(intake().take_backlog(2).value(), true);
  EXPECT_EQ(unfinished(), (Topics{"a", "b", "c"}));
  dispatcher().for_each_unfinished([](const DeliveryPtr& delivery) {
    EXPECT_TRUE(delivery->number().has_value()) << "they are safe";
  });
}

}  // namespace
}  // namespace triggerd::dispatch
