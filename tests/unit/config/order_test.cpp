#include "config/order.hpp"

#include <gtest/gtest.h>

namespace triggerd::config {
namespace {

TEST(OrderTest, KnowsItsWords) {
  EXPECT_EQ(parse_order("trigger")->by, Order::By::trigger);
  EXPECT_EQ(parse_order("topic")->by, Order::By::topic);
  EXPECT_EQ(parse_order("none")->by, Order::By::none);
}

TEST(OrderTest, TakesATopicLevelFromOne) {
  const auto order = parse_order("topic:12");
  ASSERT_TRUE(order);
  EXPECT_EQ(order->by, Order::By::topic_level);
  EXPECT_EQ(order->level, 12u);
  for (const char* bad : {"topic:", "topic:0", "topic:-1", "topic:1x", "topic: 1", "topic:65536",
                          "topic:99999999999"}) {
    EXPECT_FALSE(parse_order(bad)) << bad;
  }
}

TEST(OrderTest, TakesAJsonPointer) {
  const auto order = parse_order("json:/device/a~1b/~0/0");
  ASSERT_TRUE(order);
  EXPECT_EQ(order->by, Order::By::json);
  EXPECT_EQ(order->pointer, "/device/a~1b/~0/0");
  EXPECT_TRUE(parse_order("json:/"));
  for (const char* bad : {"json:", "json", "json:device", "json:/a~", "json:/a~2"}) {
    EXPECT_FALSE(parse_order(bad)) << bad;
  }
}

TEST(OrderTest, TakesTheNameOfAUserProperty) {
  const auto order = parse_order("property:device:1");
  ASSERT_TRUE(order);
  EXPECT_EQ(order->by, Order::By::property);
  EXPECT_EQ(order->pointer, "device:1");
  for (const char* bad : {"property:", "property"}) EXPECT_FALSE(parse_order(bad)) << bad;
}

TEST(OrderTest, RefusesOtherWords) {
  for (const char* bad : {"", "Topic", "topics", "any"}) EXPECT_FALSE(parse_order(bad)) << bad;
}

}  // namespace
}  // namespace triggerd::config
