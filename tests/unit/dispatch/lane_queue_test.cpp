#include "dispatch/lane_queue.hpp"

#include <gtest/gtest.h>

namespace triggerd::dispatch {
namespace {

DeliveryPtr delivery(const std::string& id) {
  auto made = std::make_shared<Delivery>();
  made->id = id;
  return made;
}

void push(LaneQueue& lanes, DeliveryPtr delivery, const std::optional<std::string>& key) {
  DeliveryQueue one;
  one.push_back(std::move(delivery));
  lanes.push_all(std::move(one), 1, key);
}

TEST(LaneQueue, OneLaneGivesOneAtATimeInOrder) {
  LaneQueue lanes;
  push(lanes, delivery("1"), "k");
  push(lanes, delivery("2"), "k");
  const DeliveryPtr first = lanes.pop();
  EXPECT_EQ(first->id, "1");
  EXPECT_FALSE(lanes.has_ready());
  EXPECT_EQ(lanes.pop(), nullptr);
  EXPECT_EQ(lanes.size(), 1U);
  lanes.release(*first);
  EXPECT_EQ(lanes.pop()->id, "2");
}

TEST(LaneQueue, LanesDoNotWaitForEachOther) {
  LaneQueue lanes;
  push(lanes, delivery("a1"), "a");
  push(lanes, delivery("a2"), "a");
  push(lanes, delivery("b1"), "b");
  EXPECT_EQ(lanes.pop()->id, "a1");
  EXPECT_EQ(lanes.pop()->id, "b1");
  EXPECT_EQ(lanes.pop(), nullptr);
}

TEST(LaneQueue, TheLaneThatWaitedLongestGoesFirst) {
  LaneQueue lanes;
  push(lanes, delivery("a1"), "a");
  push(lanes, delivery("a2"), "a");
  push(lanes, delivery("b1"), "b");
  const DeliveryPtr first = lanes.pop();
  lanes.release(*first);
  EXPECT_EQ(lanes.pop()->id, "b1");
  EXPECT_EQ(lanes.pop()->id, "a2");
}

TEST(LaneQueue, WhatIsPutBackGoesBeforeAllOthersOfItsLane) {
  LaneQueue lanes;
  push(lanes, delivery("1"), "k");
  push(lanes, delivery("2"), "k");
  lanes.put_back(lanes.pop());
  EXPECT_EQ(lanes.size(), 2U);
  EXPECT_EQ(lanes.pop()->id, "1");
}

TEST(LaneQueue, LanelessMessagesNeverWait) {
  LaneQueue lanes;
  for (const char* id : {"1", "2", "3"}) push(lanes, delivery(id), std::nullopt);
  EXPECT_EQ(lanes.pop()->id, "1");
  const DeliveryPtr second = lanes.pop();
  EXPECT_EQ(second->id, "2");
  lanes.put_back(second);
  EXPECT_EQ(lanes.pop()->id, "2");
  EXPECT_EQ(lanes.pop()->id, "3");
  EXPECT_EQ(lanes.size(), 0U);
}

TEST(LaneQueue, AReleasedLaneTakesNewMessages) {
  LaneQueue lanes;
  push(lanes, delivery("1"), "k");
  const DeliveryPtr first = lanes.pop();
  lanes.release(*first);
  lanes.release(*first);  // a second release finds nothing to release
  push(lanes, delivery("2"), "k");
  EXPECT_EQ(lanes.pop()->id, "2");
}

TEST(LaneQueue, TakeAllLeavesNothingButTheHeldLanes) {
  LaneQueue lanes;
  push(lanes, delivery("a1"), "a");
  push(lanes, delivery("a2"), "a");
  push(lanes, delivery("b1"), "b");
  push(lanes, delivery("free"), std::nullopt);
  const DeliveryPtr held = lanes.pop();
  EXPECT_EQ(lanes.take_all().size(), 3U);
  EXPECT_EQ(lanes.size(), 0U);
  EXPECT_FALSE(lanes.has_ready());
  lanes.release(*held);
  EXPECT_FALSE(lanes.has_ready());
}

}  // namespace
}  // namespace triggerd::dispatch
