#include "dispatch/delay_queue.hpp"

#include <gtest/gtest.h>

#include <string>

#include "unit/dispatch/messages.hpp"

namespace triggerd::dispatch {
namespace {

class DelayQueueTest : public testing::Test {
 protected:
  void add(const std::string& topic, int due) {
    queue_.add({at(due), test::delivery(topic), topic});
  }
  // The topics of those that are due.
  std::string pop_due(int now) {
    std::string topics;
    while (auto next = queue_.pop_due(at(now))) topics += *next->key;
    return topics;
  }
  static Monotonic at(int ms) { return Monotonic(Millis(ms)); }

  DelayQueue queue_;
};

TEST_F(DelayQueueTest, EachComesOutOnceItIsDue) {
  EXPECT_EQ(queue_.next(), Monotonic::max());
  add("a", 10);
  add("b", 10);
  add("c", 20);
  EXPECT_EQ(queue_.next(), at(10));
  EXPECT_EQ(pop_due(9), "");
  EXPECT_EQ(pop_due(10), "ab");
  EXPECT_EQ(queue_.size(), 1U);
  EXPECT_EQ(queue_.next(), at(20));
}

TEST_F(DelayQueueTest, NothingOvertakes) {
  add("a", 20);
  add("b", 10);
  EXPECT_EQ(pop_due(19), "");
  EXPECT_EQ(pop_due(20), "ab");
}

TEST_F(DelayQueueTest, AllOfThemAreSeenAndTakenInTheirOrder) {
  add("a", 10);
  add("b", 20);
  std::string topics;
  queue_.for_each([&topics](const DeliveryPtr& d) { topics += d->message.topic; });
  EXPECT_EQ(topics, "ab");
  const auto all = queue_.take_all();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0]->message.topic, "a");
  EXPECT_EQ(queue_.size(), 0U);
}

}  // namespace
}  // namespace triggerd::dispatch
