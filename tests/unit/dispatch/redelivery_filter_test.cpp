#include "dispatch/redelivery_filter.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "unit/dispatch/receipts.hpp"

namespace triggerd::dispatch {
namespace {

class RedeliveryFilterTest : public testing::Test {
 protected:
  // A message that came on the first connection, and is not finished.
  DeliveryPtr accept(std::uint16_t packet_id, const std::string& payload, int qos = 1) {
    mqtt::Message message = test::message("topic", payload);
    message.qos = qos;
    message.packet_id = packet_id;
    message.receipt = first_.receipt();
    unfinished_.push_back(test::delivery(std::move(message)));
    return unfinished_.back();
  }
  DeliveryPtr find(std::uint16_t packet_id, const std::string& payload, bool dup = true,
                   const std::string& topic = "topic") {
    return find_on(second_, packet_id, payload, dup, topic);
  }
  DeliveryPtr find_on(const test::FakeConnection& connection, std::uint16_t packet_id,
                      const std::string& payload, bool dup = true,
                      const std::string& topic = "topic") {
    mqtt::Message message = test::message(topic, payload);
    message.qos = 1;
    message.packet_id = packet_id;
    message.dup = dup;
    message.receipt = connection.receipt();
    return filter_.find(message);
  }

  test::FakeConnection first_, second_, third_;
  std::vector<DeliveryPtr> unfinished_;
  int looks_ = 0;
  RedeliveryFilter filter_{[this](const RedeliveryFilter::Visit& visit) {
    ++looks_;
    for (const DeliveryPtr& delivery : unfinished_) visit(delivery);
  }};
};

TEST_F(RedeliveryFilterTest, FindsTheSameMessageOnTheNextConnection) {
  const DeliveryPtr one = accept(1, "one");
  const DeliveryPtr two = accept(2, "two");
  EXPECT_EQ(find(2, "two"), two);
  EXPECT_EQ(find(1, "one"), one);
  EXPECT_EQ(looks_, 1) << "once for a connection";
  EXPECT_EQ(find(1, "one"), nullptr) << "a message is sent again once";
}

TEST_F(RedeliveryFilterTest, OnlyWhatIsCertainToBeTheSame) {
  accept(1, "one");
  EXPECT_EQ(find(1, "other"), nullptr);
  EXPECT_EQ(find(2, "one"), nullptr);
  EXPECT_EQ(find(1, "one", true, "elsewhere"), nullptr);
  EXPECT_NE(find(1, "one"), nullptr);
}

TEST_F(RedeliveryFilterTest, OfTwoWithOnePacketIdTheContentTells) {
  accept(1, "old");
  const DeliveryPtr newer = accept(1, "new");
  EXPECT_EQ(find(1, "new"), newer);
}

TEST_F(RedeliveryFilterTest, WhatCameOnThisConnectionIsNotSentAgainOnIt) {
  accept(1, "one");
  EXPECT_EQ(find_on(first_, 1, "one"), nullptr);
}

TEST_F(RedeliveryFilterTest, OtherMessagesAreNoCandidates) {
  accept(1, "one", 0);
  accept(2, "two", 2);
  accept(3, "three")->forget_id();
  accept(4, "four")->stored_as(7);  // so it was acknowledged
  EXPECT_EQ(find(1, "one"), nullptr);
  EXPECT_EQ(find(2, "two"), nullptr);
  EXPECT_EQ(find(3, "three"), nullptr);
  EXPECT_EQ(find(4, "four"), nullptr);
}

TEST_F(RedeliveryFilterTest, AnAcknowledgementThatLeavesMeanwhileRulesItsMessageOut) {
  accept(1, "one");
  accept(2, "two");
  EXPECT_NE(find(2, "two"), nullptr);
  unfinished_[0]->stored_as(7);
  EXPECT_EQ(find(1, "one"), nullptr);
}

TEST_F(RedeliveryFilterTest, AfterTheFirstNewMessageTheServerRepeatsNothing) {
  accept(1, "one");
  accept(2, "two");
  EXPECT_NE(find(1, "one"), nullptr);
  EXPECT_EQ(find(9, "new", false), nullptr);
  EXPECT_EQ(looks_, 1);
  EXPECT_NE(find(2, "two"), nullptr) << "one that does all the same is looked for anew";
  EXPECT_EQ(looks_, 2);
}

TEST_F(RedeliveryFilterTest, EveryConnectionRepeatsAnew) {
  const DeliveryPtr one = accept(1, "one");
  EXPECT_EQ(find(1, "one"), one);
  EXPECT_EQ(find_on(third_, 1, "one"), one);
  EXPECT_EQ(looks_, 2);
}

}  // namespace
}  // namespace triggerd::dispatch
