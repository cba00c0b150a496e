#include "dispatch/delivery_queue.hpp"

#include <gtest/gtest.h>

#include "unit/dispatch/messages.hpp"

namespace triggerd::dispatch {
namespace {

DeliveryQueue queue_of(std::initializer_list<const char*> topics) {
  DeliveryQueue queue;
  for (const char* topic : topics) queue.push_back(test::delivery(topic));
  return queue;
}

std::string all_of(const DeliveryQueue& queue) {
  std::string all;
  queue.for_each([&](const DeliveryPtr& delivery) { all += delivery->message.topic; });
  return all;
}

TEST(DeliveryQueue, FirstInFirstOut) {
  DeliveryQueue queue = queue_of({"a", "b"});
  EXPECT_EQ(all_of(queue), "ab");
  const DeliveryPtr first = queue.pop_front();
  EXPECT_EQ(first->message.topic, "a");
  EXPECT_EQ(first->behind, nullptr) << "it may go into another queue";
  EXPECT_EQ(queue.pop_front()->message.topic, "b");
  EXPECT_TRUE(queue.empty());
  queue.push_back(test::delivery("c"));
  EXPECT_EQ(all_of(queue), "c");
}

TEST(DeliveryQueue, ToTheFront) {
  DeliveryQueue queue;
  queue.push_front(test::delivery("b"));
  queue.push_front(test::delivery("a"));
  queue.push_back(test::delivery("c"));
  EXPECT_EQ(all_of(queue), "abc");
}

TEST(DeliveryQueue, AppendsAnother) {
  DeliveryQueue queue;
  queue.append({});
  EXPECT_TRUE(queue.empty());
  queue.append(queue_of({"a", "b"}));
  queue.append(queue_of({"c"}));
  queue.append({});
  queue.push_back(test::delivery("d"));
  EXPECT_EQ(all_of(queue), "abcd");
}

TEST(DeliveryQueue, WhatWasMovedFromIsEmpty) {
  DeliveryQueue from = queue_of({"a", "b"});
  DeliveryQueue to = std::move(from);
  EXPECT_EQ(all_of(to), "ab");
  EXPECT_TRUE(from.empty());  // NOLINT(bugprone-use-after-move)
  from.push_back(test::delivery("c"));
  EXPECT_EQ(all_of(from), "c");
}

// One that holds the next, and so on, would take the stack.
TEST(DeliveryQueue, ALongOneEndsOneByOne) {
  constexpr int kMany = 100'000;
  std::weak_ptr<Delivery> last;
  {
    DeliveryQueue queue;
    for (int i = 0; i < kMany; ++i) {
      auto delivery = std::make_shared<Delivery>();
      last = delivery;
      queue.push_back(std::move(delivery));
    }
  }
  EXPECT_TRUE(last.expired());
}

}  // namespace
}  // namespace triggerd::dispatch
