#include "dispatch/order_key.hpp"

#include <gtest/gtest.h>

#include "unit/dispatch/messages.hpp"

namespace triggerd::dispatch {
namespace {

using By = config::Order::By;
using test::message;

TEST(OrderKey, TriggerIsOneLaneForAll) {
  EXPECT_EQ(order_key({By::trigger, 0, ""}, message("a")), "");
  EXPECT_EQ(order_key({By::trigger, 0, ""}, message("b")), "");
}

TEST(OrderKey, NoneIsNoLane) {
  EXPECT_EQ(order_key({By::none, 0, ""}, message("a")), std::nullopt);
}

TEST(OrderKey, TopicAndTopicLevel) {
  EXPECT_EQ(order_key({By::topic, 0, ""}, message("a/b/c")), "a/b/c");
  EXPECT_EQ(order_key({By::topic_level, 2, ""}, message("a/b/c")), "b");
  EXPECT_EQ(order_key({By::topic_level, 4, ""}, message("a/b/c")), "");
}

TEST(OrderKey, JsonTakesTheValueAtThePointer) {
  const config::Order order{By::json, 0, "/device/id"};
  EXPECT_EQ(order_key(order, message("t", R"({"device": {"id": "x"}})")), "\"x\"");
  EXPECT_EQ(order_key(order, message("t", R"({"device": {"id": 7}})")), "7");
  EXPECT_NE(order_key(order, message("t", R"({"device": {"id": "7"}})")),
            order_key(order, message("t", R"({"device": {"id": 7}})")));
}

TEST(OrderKey, WhatHasNoSuchValueSharesTheEmptyKey) {
  const config::Order order{By::json, 0, "/device/id"};
  for (const char* payload : {"", "not json", "[]", "{}", R"({"device": 3})", "\xff\xfe",
                              R"({"device": {"id": [1]}})", R"({"device": {"id": {}}})"}) {
    EXPECT_EQ(order_key(order, message("t", payload)), "") << payload;
  }
}

TEST(OrderKey, DeeplyNestedJsonDoesNotOverflowTheStack) {
  const std::string deep = R"({"device": {"id": )" + std::string(1 << 20, '[');
  EXPECT_EQ(order_key({By::json, 0, "/device/id"}, message("t", deep)), "");
  const std::string closed =
      R"({"device": {"id": )" + std::string(100'000, '[') + std::string(100'000, ']') + "}}";
  EXPECT_EQ(order_key({By::json, 0, "/device/id"}, message("t", closed)), "");
}

TEST(OrderKey, PropertyTakesTheValueOfTheFirstUserPropertyOfThatName) {
  mqtt::Message m = message("t");
  EXPECT_EQ(order_key({By::property, 0, "device"}, m), "");
  mqtt::encode_property(m.properties, {.id = mqtt::property::kUser, .name = "x", .value = "0"});
  mqtt::encode_property(m.properties,
                        {.id = mqtt::property::kUser, .name = "device", .value = "7"});
  mqtt::encode_property(m.properties,
                        {.id = mqtt::property::kUser, .name = "device", .value = "8"});
  EXPECT_EQ(order_key({By::property, 0, "device"}, m), "7");
  EXPECT_EQ(order_key({By::property, 0, "Device"}, m), "");
}

}  // namespace
}  // namespace triggerd::dispatch
