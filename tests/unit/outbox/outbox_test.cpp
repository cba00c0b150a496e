#include "unit/outbox/outbox_fixture.hpp"

namespace triggerd::outbox {
namespace {

using Lines = std::vector<std::string>;

std::vector<std::string> numbered(int count) {
  std::vector<std::string> all;
  for (int i = 0; i < count; ++i) all.push_back(std::to_string(i));
  return all;
}

TEST_F(OutboxTest, WhatIsPublishedWhileTheServerIsAwayIsSentInOrderWhenItIsBack) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(publish(std::to_string(i), i % 2 + 1));
  process_->write();
  EXPECT_EQ(safe(), numbered(10)) << "it is on the disk";
  EXPECT_EQ(outbox().stats().messages, 10U);
  EXPECT_TRUE(outbox().stats().oldest);
  connect();
  settle();
  EXPECT_EQ(delivered(), numbered(10));
  EXPECT_EQ(rows(), 0U);
  EXPECT_EQ(outbox().stats().messages, 0U);
  EXPECT_EQ(outbox().stats().bytes, 0U);
  EXPECT_EQ(outbox().stats().sent, 10U);
  EXPECT_EQ(log_.count("outbox.sending"), 1U);
  EXPECT_EQ(log_.count("outbox.empty"), 1U);
}

TEST_F(OutboxTest, AnotherProcessSendsWhatItFinds) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(publish(std::to_string(i), i % 2 + 1));
  process_->write();
  kill();
  EXPECT_EQ(outbox().stats().messages, 10U);
  EXPECT_EQ(outbox().stats().bytes, 10U * (2 + 1));
  connect();
  settle();
  EXPECT_EQ(delivered(), numbered(10));
}

TEST_F(OutboxTest, WhatIsConfirmedBeforeItIsWrittenNeedsNoRow) {
  start(false);
  connect();
  ASSERT_TRUE(publish("a"));
  process_->run();
  answer();
  EXPECT_EQ(safe(), Lines({"a"}));
  process_->write();
  EXPECT_EQ(process_->writer().stats().messages, 0U);
  EXPECT_EQ(process_->writer().stats().finished, 1U);
}

TEST_F(OutboxTest, QosTwoIsNotSentBeforeItIsWritten) {
  start(false);
  connect();
  ASSERT_TRUE(publish("a", 2));
  process_->run();
  EXPECT_EQ(server_.coming(), 0U);
  EXPECT_EQ(safe(), Lines());
  process_->write();
  EXPECT_EQ(server_.coming(), 1U);
  EXPECT_EQ(safe(), Lines({"a"}));
}

TEST_F(OutboxTest, PubrelWaitsUntilThePacketIdIsWritten) {
  connect();
  ASSERT_TRUE(publish("a", 2));
  process_->write();
  {
    const MutexLock nothing_is_written(process_->inbox().file().mutex());
    answer();  // PUBREC
    process_->run();
    EXPECT_EQ(server_.coming(), 0U) << "PUBREL has left too early";
  }
  process_->write();
  EXPECT_EQ(server_.coming(), 1U);
  EXPECT_EQ(process_->inbox().outgoing().awaiting_pubcomp("edge")->size(), 1U);
  EXPECT_EQ(process_->inbox().outgoing().total("a")->messages, 0U);
  answer();  // PUBCOMP
  process_->write();
  EXPECT_EQ(process_->inbox().outgoing().awaiting_pubcomp("edge")->size(), 0U);
  EXPECT_EQ(server_.delivered.size(), 1U);
}

TEST_F(OutboxTest, AfterPubrecANewProcessSendsPubrelAndNotTheMessage) {
  connect();
  ASSERT_TRUE(publish("a", 2));
  process_->write();
  server_.take_all();
  outbox().on_answers(server_.take_answers());
  process_->write();  // PUBREL leaves, and is lost
  kill();
  connect();
  settle();
  EXPECT_EQ(delivered(), Lines({"a"}));
  EXPECT_EQ(server_.pubrels.size(), 1U);
  EXPECT_EQ(process_->inbox().outgoing().awaiting_pubcomp("edge")->size(), 0U);
}

TEST_F(OutboxTest, WhatWasSentIsSentAgainWithItsPacketIdAndDup) {
  connect();
  ASSERT_TRUE(publish("a", 2));
  ASSERT_TRUE(publish("b", 1));
  process_->write();
  server_.take_all();  // it has them, and its answers are lost
  cut();
  connect();
  server_.take_all();
  ASSERT_EQ(server_.delivered.size(), 3U) << "QoS 2 once, QoS 1 twice";
  EXPECT_EQ(server_.delivered[1].packet_id, server_.delivered[2].packet_id);
  EXPECT_FALSE(server_.delivered[1].dup);
  EXPECT_TRUE(server_.delivered[2].dup);
  outbox().on_answers(server_.take_answers());
  settle();
  EXPECT_EQ(rows(), 0U);
}

TEST_F(OutboxTest, AServerWithoutTheSessionGetsItAnew) {
  connect();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(publish(std::to_string(i), i % 2 + 1));
  process_->write();
  cut();
  server_.lose_session();
  connect();
  settle();
  EXPECT_EQ(delivered(), numbered(4));
  for (const auto& one : server_.delivered) EXPECT_FALSE(one.dup);
}

TEST_F(OutboxTest, NoMoreThanTheWindowIsInFlight) {
  server_.window = 3;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(publish(std::to_string(i), 2));
  process_->write();
  connect();
  process_->run();
  EXPECT_EQ(server_.coming(), 3U);
  EXPECT_EQ(outbox().stats().in_flight, 3U);
  settle();
  EXPECT_EQ(delivered(), numbered(10));
}

TEST_F(OutboxTest, MoreThanMemoryHoldsComesFromTheFile) {
  constexpr int kMany = 3 * static_cast<int>(Backlog::kMessages) + 7;
  for (int i = 0; i < kMany; ++i) ASSERT_TRUE(publish(std::to_string(i), i % 2 + 1));
  process_->write();
  EXPECT_EQ(rows(), static_cast<std::uint64_t>(kMany));
  server_.window = 1'000;
  connect();
  for (int i = 0; i < 400 && outbox().stats().messages > 0; ++i) settle();
  EXPECT_EQ(delivered(), numbered(kMany));
}

TEST_F(OutboxTest, AFullOneRefuses) {
  options_.max_size = 20;
  start();
  ASSERT_TRUE(publish("12345678"));
  ASSERT_TRUE(publish("12345678"));
  const auto refused = publish("x");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), mqtt::PublishError::not_connected);
  connect();
  EXPECT_EQ(publish("y").error(), mqtt::PublishError::full);
  cut();
  EXPECT_EQ(log_.count("outbox.full"), 1U);
  EXPECT_EQ(outbox().stats().dropped, 2U);
  process_->write();
  connect();
  settle();
  EXPECT_TRUE(publish("x")) << "there is room again";
}

TEST_F(OutboxTest, OrDropsTheOldest) {
  options_ = {
      .max_size = 20, .max_size_place = {}, .when_full = config::Outbox::WhenFull::drop_oldest};
  start();
  ASSERT_TRUE(publish("12345678"));
  ASSERT_TRUE(publish("abcdefgh", 2));
  process_->write();
  ASSERT_TRUE(publish("new"));
  const auto too_large = publish(std::string(30, 'x'));
  ASSERT_FALSE(too_large);
  EXPECT_EQ(too_large.error(), mqtt::PublishError::invalid) << "larger than all of it";
  EXPECT_EQ(outbox().stats().dropped, 2U);
  process_->write();
  connect();
  settle();
  EXPECT_EQ(delivered(), Lines({"abcdefgh", "new"}));
}

// After a restart the server may have them, so that they are released and not forgotten at once.
TEST_F(OutboxTest, DroppingMakesRoomAtOnce) {
  options_ = {
      .max_size = 60, .max_size_place = {}, .when_full = config::Outbox::WhenFull::drop_oldest};
  start();
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(publish("12345678", 2));
  process_->write();
  start();
  ASSERT_TRUE(publish("newest"));
  EXPECT_EQ(outbox().stats().dropped, 1U);
  EXPECT_EQ(outbox().stats().messages, 6U);
  connect();
  settle();
  EXPECT_EQ(server_.delivered.size(), 6U);
  EXPECT_EQ(delivered().back(), "newest");
}

TEST_F(OutboxTest, TheOldestAreDroppedThatAreOnlyInTheFile) {
  constexpr int kMany = 2 * static_cast<int>(Backlog::kMessages);
  options_ = {.max_size = kMany * 6,
              .max_size_place = {},
              .when_full = config::Outbox::WhenFull::drop_oldest};
  start();
  for (int i = 0; i < kMany; ++i) ASSERT_TRUE(publish(std::to_string(i + 1000)));
  process_->write();
  for (int i = 0; i < kMany; ++i) {
    ASSERT_TRUE(publish(std::to_string(i + 6000))) << i;
    if (i % 50 == 0) process_->write();
  }
  process_->write();
  EXPECT_LE(outbox().stats().bytes, options_.max_size);
  server_.window = 1'000;
  connect();
  for (int i = 0; i < 400 && outbox().stats().messages > 0; ++i) settle();
  EXPECT_EQ(delivered().back(), std::to_string(kMany - 1 + 6000));
  EXPECT_EQ(server_.delivered.size() + outbox().stats().dropped, 2U * kMany);
  EXPECT_GT(server_.delivered.size(), static_cast<std::size_t>(kMany) / 2);
}

// The writer asks whether something is finished with its lock held, and a publish has the outbox's.
TEST_F(OutboxTest, PublishersAndTheWriterDoNotWaitForEachOther) {
  std::thread asking([this] {
    for (int i = 0; i < 20'000; ++i) process_->writer().reconsider();
  });
  for (int i = 0; i < 2'000; ++i) ASSERT_TRUE(publish(std::to_string(i)));
  asking.join();
  process_->write();
  EXPECT_EQ(outbox().stats().messages, 2'000U);
}

TEST_F(OutboxTest, ASmallerWindowHoldsForWhatIsSentAgain) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(publish(std::to_string(i), 2));
  process_->write();
  connect();
  EXPECT_EQ(server_.coming(), 10U);
  cut();
  server_.window = 2;
  connect();
  EXPECT_EQ(server_.coming(), 2U);
  settle();
  EXPECT_EQ(delivered(), numbered(10));
}

TEST_F(OutboxTest, NothingMoreIsSentWhileTheSocketHasNoRoom) {
  connect();
  server_.unsent_bytes = 100'000;
  ASSERT_TRUE(publish("a"));
  process_->write();
  EXPECT_EQ(server_.coming(), 0U);
  for (int i = 0; i < 100; ++i) {  // what leaves slowly is no stall
    clock_.advance(Millis(1'000));
    process_->run();
  }
  EXPECT_TRUE(server_.asked_to_connect_again.empty());
  server_.unsent_bytes = 0;
  clock_.advance(Millis(1'000));
  process_->run();
  EXPECT_EQ(server_.coming(), 1U);
}

TEST_F(OutboxTest, ClearingLeavesWhatWasSent) {
  server_.window = 2;
  constexpr int kMany = static_cast<int>(Backlog::kMessages) + 100;
  for (int i = 0; i < kMany; ++i) ASSERT_TRUE(publish(std::to_string(i), i % 2 + 1));
  process_->write();
  connect();
  EXPECT_EQ(clear(), static_cast<std::uint64_t>(kMany) - 2);
  EXPECT_EQ(outbox().stats().messages, 2U);
  EXPECT_EQ(outbox().stats().cleared, static_cast<std::uint64_t>(kMany) - 2);
  ASSERT_TRUE(publish("later"));
  settle();
  EXPECT_EQ(delivered(), Lines({"0", "1", "later"}));
  EXPECT_EQ(rows(), 0U);
}

// Its packet id would be taken for this message when another one has it.
TEST_F(OutboxTest, WhatTheServerMayHaveIsReleasedAndNotForgotten) {
  connect();
  ASSERT_TRUE(publish("a", 2));
  process_->write();
  server_.take_all();  // and its PUBREC is lost
  kill();
  EXPECT_EQ(clear(), 1U);
  process_->write();
  EXPECT_EQ(process_->inbox().outgoing().awaiting_pubcomp("edge")->size(), 1U);
  connect();
  settle();
  EXPECT_EQ(server_.pubrels.size(), 1U);
  // It goes round to the same packet id.
  ASSERT_TRUE(publish("b", 2));
  settle();
  EXPECT_EQ(delivered(), Lines({"a", "b"}));
}

TEST_F(OutboxTest, ExpiredMessagesAreNotSent) {
  const mqtt::Property expiry{.id = mqtt::property::kMessageExpiry, .number = 5};
  server_.v5 = true;
  ASSERT_TRUE(publish("a", 1, {expiry}));
  ASSERT_TRUE(publish("b", 1));
  process_->write();
  clock_.advance(Millis(6'000));
  process_->run();
  EXPECT_EQ(outbox().stats().expired, 1U);
  connect();
  settle();
  EXPECT_EQ(delivered(), Lines({"b"}));
}

TEST_F(OutboxTest, WhatIsLeftOfTheExpiryIsSent) {
  const mqtt::Property expiry{.id = mqtt::property::kMessageExpiry, .number = 60};
  const KeptPublish message(nullptr, "a",
                            {.topic = "up", .payload = {}, .properties = {&expiry, 1}}, clock_);
  std::string properties;
  (void)message.packet(true, clock_.now() + Millis(20'500), properties);
  const auto left = mqtt::decode_properties(properties);
  ASSERT_TRUE(left);
  ASSERT_EQ(left->size(), 1U);
  EXPECT_EQ(left->front().number, 40U) << "rounded up";
}

TEST_F(OutboxTest, WhatTheServerRefusesIsGivenUp) {
  server_.v5 = true;
  server_.refuses_with = 0x87;
  connect();
  ASSERT_TRUE(publish("a", 1));
  ASSERT_TRUE(publish("b", 2));
  settle();
  EXPECT_EQ(outbox().stats().refused, 2U);
  EXPECT_EQ(outbox().stats().messages, 0U);
  EXPECT_EQ(rows(), 0U);
  EXPECT_EQ(log_.count("outbox.refused"), 2U);
}

TEST_F(OutboxTest, WhatItWouldEndTheConnectionForIsNotSent) {
  server_.limits = {.qos = 1, .retained = false, .packet_size = 50};
  ASSERT_TRUE(publish("a", 2));
  ASSERT_TRUE(publish("b", 1, {}, true));
  ASSERT_TRUE(publish(std::string(60, 'c')));
  ASSERT_TRUE(publish("d"));
  process_->write();
  connect();
  settle();
  EXPECT_EQ(delivered(), Lines({"d"}));
  EXPECT_EQ(outbox().stats().refused, 3U);
  EXPECT_EQ(rows(), 0U);
}

TEST_F(OutboxTest, WhatCannotBeMadeSafeInTimeFails) {
  start(false);
  ASSERT_TRUE(publish("a"));
  clock_.advance(Millis(31'000));
  process_->run();
  clock_.advance(Millis(2'000));
  process_->run();
  EXPECT_EQ(failed(), Lines({"a"}));
  EXPECT_EQ(outbox().stats().messages, 0U);
  EXPECT_EQ(rows(), 0U);
}

TEST_F(OutboxTest, AServerThatConfirmsNothingGetsANewConnection) {
  connect();
  ASSERT_TRUE(publish("a"));
  process_->write();
  for (int i = 0; i < 59; ++i) {
    clock_.advance(Millis(1'000));
    process_->run();
  }
  EXPECT_TRUE(server_.asked_to_connect_again.empty());
  for (int i = 0; i < 3; ++i) {
    clock_.advance(Millis(1'000));
    process_->run();
  }
  EXPECT_FALSE(server_.asked_to_connect_again.empty());
}

TEST_F(OutboxTest, WhoRestsSendsNothingNew) {
  connect();
  ASSERT_TRUE(publish("a"));
  process_->write();
  EXPECT_FALSE(outbox().rest(Monotonic{})) << "the server has not confirmed it";
  ASSERT_TRUE(publish("b"));
  process_->write();
  answer();
  process_->run();
  EXPECT_TRUE(outbox().rest(Monotonic{}));
  EXPECT_EQ(delivered(), Lines({"a"}));
  EXPECT_EQ(server_.coming(), 0U);
  cut();
  connect();
  settle();
  EXPECT_EQ(delivered(), Lines({"a", "b"}));
}

TEST_F(OutboxTest, AnswersToWhatNobodySentDoNoHarm) {
  connect();
  ASSERT_TRUE(publish("a"));
  process_->write();
  using Kind = mqtt::PublishAnswer::Kind;
  const std::uint16_t id = OutboxState::kFirstId;
  outbox().on_answers({{.kind = Kind::pubrec, .packet_id = id},
                       {.kind = Kind::pubcomp, .packet_id = id},
                       {.kind = Kind::puback, .packet_id = 7},
                       {.kind = Kind::pubcomp, .packet_id = 8},
                       {.kind = Kind::pubrec, .packet_id = 9}});
  EXPECT_EQ(outbox().stats().messages, 1U);
  EXPECT_EQ(server_.coming(), 2U) << "the message, and PUBREL of what the server waits with";
  settle();
  EXPECT_EQ(outbox().stats().messages, 0U);
}

}  // namespace
}  // namespace triggerd::outbox
