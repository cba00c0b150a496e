#include "dispatch/retry_queue.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "unit/dispatch/messages.hpp"

namespace triggerd::dispatch {
namespace {

Monotonic due_at(Millis::rep ms) {
  return Monotonic(Millis(ms));
}

std::vector<std::string> topics(const std::vector<DeliveryPtr>& deliveries) {
  std::vector<std::string> topics;
  for (const DeliveryPtr& delivery : deliveries) topics.emplace_back(delivery->message.topic);
  return topics;
}

DeliveryPtr dead_letter(const std::string& topic) {
  DeliveryPtr delivery = test::delivery(topic);
  delivery->unwritten_dead_letter = std::make_unique<const std::string>("refused");
  return delivery;
}

using Topics = std::vector<std::string>;

TEST(RetryQueue, GivesOutWhatIsDueInTheOrderOfTime) {
  RetryQueue queue;
  EXPECT_EQ(queue.next(), Monotonic::max());
  queue.add(due_at(30), test::delivery("late"));
  queue.add(due_at(10), test::delivery("early"));
  queue.add(due_at(10), test::delivery("as early"));
  EXPECT_EQ(queue.next(), due_at(10));
  EXPECT_EQ(queue.pop_due(due_at(9)), nullptr);
  EXPECT_EQ(queue.pop_due(due_at(10))->message.topic, "early");
  EXPECT_EQ(queue.pop_due(due_at(10))->message.topic, "as early");
  EXPECT_EQ(queue.pop_due(due_at(10)), nullptr);
  EXPECT_EQ(queue.next(), due_at(30));
  EXPECT_EQ(queue.size(), 1U);
}

TEST(RetryQueue, RetriesAreTakenOutAndUnwrittenDeadLettersStay) {
  RetryQueue queue;
  queue.add(due_at(20), test::delivery("b"));
  queue.add(due_at(15), dead_letter("dead"));
  queue.add(due_at(10), test::delivery("a"));
  EXPECT_EQ(topics(queue.take_retries()), (Topics{"a", "b"}));
  EXPECT_EQ(queue.size(), 1U);
  EXPECT_EQ(queue.next(), due_at(15));
  EXPECT_EQ(topics(queue.take_all()), Topics{"dead"});
  EXPECT_TRUE(queue.empty());
}

TEST(RetryQueue, ShowsAllOfThem) {
  RetryQueue queue;
  queue.add(due_at(20), test::delivery("b"));
  queue.add(due_at(10), dead_letter("a"));
  std::vector<DeliveryPtr> seen;
  queue.for_each([&](const DeliveryPtr& delivery) { seen.push_back(delivery); });
  EXPECT_EQ(topics(seen), (Topics{"a", "b"}));
}

}  // namespace
}  // namespace triggerd::dispatch
