#include "dispatch/prefetch.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "unit/dispatch/messages.hpp"

namespace triggerd::dispatch {
namespace {

class PrefetchTest : public testing::Test {
 protected:
  void push(const DeliveryPtr& delivery, const std::string& lane) {
    DeliveryQueue queue;
    queue.push_back(delivery);
    lanes_.push_all(std::move(queue), 1, lane);
  }
  void push(const std::string& topic, const std::string& lane) {
    push(test::delivery(topic), lane);
  }
  Attempt& begin() {
    Attempt& attempt = attempts_.add(lanes_.pop());
    attempts_.begin(attempt, now_);
    return attempt;
  }
  // The topic that is handed over; empty: none.
  std::string hand_over(const Attempt& begun) {
    const trigger_message* message = prefetch_.hand_over(begun);
    return message == nullptr ? "" : std::string(message->topic.ptr, message->topic.len);
  }
  std::vector<std::string> pop_all() {
    std::vector<std::string> topics;
    while (const DeliveryPtr delivery = lanes_.pop()) {
      topics.emplace_back(delivery->message.topic);
      lanes_.release(*delivery);
    }
    return topics;
  }

  const Monotonic now_{Millis(1'000)};
  AttemptTable attempts_{"t", Millis(3'000)};
  LaneQueue lanes_;
  Prefetch prefetch_{attempts_, lanes_};
};

TEST_F(PrefetchTest, WhatIsHandedOverBeginsOneBehindAnother) {
  for (const char* topic : {"1", "2", "3"}) push(topic, "lane");
  const Attempt& first = begin();
  EXPECT_EQ(hand_over(first), "2") << "of the lane that the first one holds";
  EXPECT_EQ(hand_over(first), "3");
  EXPECT_EQ(hand_over(first), "");
  EXPECT_EQ(attempts_.in_flight(), 3U);
  const Attempt& second = prefetch_.begin_next(now_);
  EXPECT_EQ(second.delivery->message.topic, "2");
  EXPECT_EQ(second.state, Attempt::State::running);
  EXPECT_EQ(second.delivery->attempts, 1U);
  EXPECT_FALSE(prefetch_.empty());
  EXPECT_EQ(prefetch_.begin_next(now_).delivery->message.topic, "3");
  EXPECT_TRUE(prefetch_.empty());
}

TEST_F(PrefetchTest, WhatIsTakenBackGoesFirstAndInItsOrder) {
  for (const char* topic : {"1", "2", "3", "4"}) push(topic, "lane");
  Attempt& first = begin();
  const DeliveryPtr delivery = first.delivery;
  EXPECT_EQ(hand_over(first), "2");
  EXPECT_EQ(hand_over(first), "3");
  prefetch_.take_back();
  EXPECT_TRUE(prefetch_.empty());
  EXPECT_EQ(attempts_.in_flight(), 1U);
  EXPECT_EQ(delivery->attempts, 1U);
  (void)attempts_.remove(first);
  lanes_.put_back(delivery);
  EXPECT_EQ(pop_all(), (std::vector<std::string>{"1", "2", "3", "4"}));
}

TEST_F(PrefetchTest, ASuspectAndWhatMayExpireAreNotHandedOver) {
  push("1", "a");
  const DeliveryPtr suspect = test::delivery("suspect");
  suspect->crashes.suspect = true;
  push(suspect, "b");
  const Attempt& first = begin();
  EXPECT_EQ(hand_over(first), "");
  suspect->crashes.suspect = false;
  suspect->message.expires = now_ + Millis(60'000);
  EXPECT_EQ(hand_over(first), "");
  suspect->message.expires = Monotonic::max();
  EXPECT_EQ(hand_over(first), "suspect") << "it waited in its place";
}

}  // namespace
}  // namespace triggerd::dispatch
