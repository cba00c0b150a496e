#include "dispatch/message_properties.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace triggerd::dispatch {
namespace {

std::string encoded(const std::vector<mqtt::Property>& properties) {
  std::string bytes;
  for (const mqtt::Property& property : properties) mqtt::encode_property(bytes, property);
  return bytes;
}

TEST(MessageProperties, WhatAServiceSeesItMayPublishAgain) {
  const std::vector<mqtt::Property> properties = {
      {.id = mqtt::property::kPayloadFormat, .number = 1},
      {.id = mqtt::property::kMessageExpiry, .number = 3600},
      {.id = mqtt::property::kContentType, .value = "text/plain"},
      {.id = mqtt::property::kCorrelationData, .value = std::string_view("\0\xff", 2)},
      {.id = mqtt::property::kUser, .name = "site", .value = "north"},
      {.id = mqtt::property::kUser, .name = "", .value = ""}};
  const std::string bytes = encoded(properties);
  const auto seen = MessageProperties::of(bytes);
  ASSERT_NE(seen, nullptr);
  EXPECT_EQ(seen->list().size(), properties.size());
  EXPECT_EQ(from_abi(seen->list()), properties);
}

TEST(MessageProperties, NamesEndWithNul) {
  const std::string bytes =
      encoded({{.id = mqtt::property::kUser, .name = "a", .value = "1"},
               {.id = mqtt::property::kUser, .name = "a name that is long", .value = "2"}});
  const auto seen = MessageProperties::of(bytes);
  ASSERT_NE(seen, nullptr);
  for (const trigger_property& property : seen->list()) {
    EXPECT_EQ(std::string(property.name.ptr).size(), property.name.len);
  }
}

TEST(MessageProperties, NoBytesAndBytesThatAreNoneAreNoProperties) {
  EXPECT_EQ(MessageProperties::of(""), nullptr);
  EXPECT_EQ(MessageProperties::of("\x26"), nullptr);  // a user property, cut short
}

TEST(MessageProperties, TextsOfTheAbiMayBeNull) {
  const trigger_property property{.id = mqtt::property::kUser,
                                  .reserved = 0,
                                  .number = 0,
                                  .name = {nullptr, 0},
                                  .value = {nullptr, 0}};
  const auto properties = from_abi({&property, 1});
  ASSERT_EQ(properties.size(), 1U);
  EXPECT_NE(properties[0].name.data(), nullptr);
  EXPECT_NE(properties[0].value.data(), nullptr);
}

}  // namespace
}  // namespace triggerd::dispatch
