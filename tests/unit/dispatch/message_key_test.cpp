#include "dispatch/message_key.hpp"

#include <gtest/gtest.h>

#include <set>

#include "mqtt/packet/properties.hpp"
#include "unit/dispatch/messages.hpp"

namespace triggerd::dispatch {
namespace {

using Same = config::Deduplicate::By;

config::Deduplicate by_json(const std::string& pointer = "/id") {
  return {.by = Same::json, .pointer = pointer};
}
config::Deduplicate by_property() {
  return {.by = Same::property, .pointer = "id"};
}
config::Deduplicate by_payload(bool topic) {
  return {.by = Same::payload, .topic = topic};
}
auto json(const std::string& payload, const std::string& topic = "a") {
  return message_key(by_json(), test::message(topic, payload));
}
mqtt::Message with_property(const std::string& value) {
  mqtt::Message message = test::message("a");
  mqtt::encode_property(message.properties,
                        {.id = mqtt::property::kUser, .number = 0, .name = "id", .value = value});
  return message;
}

TEST(MessageKeyTest, TheValueCountsAndNothingBesideIt) {
  EXPECT_EQ(json(R"({"id":"7","n":1})"), json(R"({"n":2, "id":"7"})", "b"));
  EXPECT_NE(json(R"({"id":"7"})"), json(R"({"id":"8"})"));
  EXPECT_NE(json(R"({"id":"7"})"), json(R"({"id":7})"));
  EXPECT_NE(json(R"({"id":7})"), message_key(by_json("/n"), test::message("a", R"({"n":7})")))
      << "by another rule it is another key";
}

TEST(MessageKeyTest, WhatIsNoIdIsNoKey) {
  for (const char* payload :
       {"", "id", R"({"id":null})", R"({"id":true})", R"({"id":""})", R"({"id":[1]})",
        R"({"id":{"a":1}})", R"({"n":1})", R"([1,2])",
        // These two read the same as floating-point numbers.
        R"({"id":123456789012345678901})", R"({"id":123456789012345678902})", R"({"id":1.5})"}) {
    EXPECT_FALSE(json(payload)) << payload;
    EXPECT_FALSE(message_key_text(by_json(), test::message("a", payload))) << payload;
  }
  EXPECT_NE(json(R"({"id":18446744073709551615})"), json(R"({"id":18446744073709551614})"));
}

TEST(MessageKeyTest, TheTopicIsPartOfItWhereThatIsWanted) {
  config::Deduplicate rule = by_json();
  rule.topic = true;
  const std::string payload = R"({"id":"7"})";
  EXPECT_NE(message_key(rule, test::message("a", payload)),
            message_key(rule, test::message("b", payload)));
  EXPECT_EQ(message_key(by_payload(false), test::message("a", "on")),
            message_key(by_payload(false), test::message("b", "on")));
  EXPECT_NE(message_key(by_payload(true), test::message("a", "on")),
            message_key(by_payload(true), test::message("b", "on")));
}

TEST(MessageKeyTest, NoTopicAndPayloadReadAsOtherOnes) {
  EXPECT_NE(message_key(by_payload(true), test::message("ab", "c")),
            message_key(by_payload(true), test::message("a", "bc")));
}

TEST(MessageKeyTest, APropertyIsAKeyUnlessItIsMissingOrEmpty) {
  EXPECT_EQ(message_key(by_property(), with_property("7")),
            message_key(by_property(), with_property("7")));
  EXPECT_NE(message_key(by_property(), with_property("7")),
            message_key(by_property(), with_property("8")));
  EXPECT_FALSE(message_key(by_property(), with_property("")));
  EXPECT_FALSE(message_key(by_property(), test::message("a")));
  EXPECT_EQ(message_key_text(by_property(), with_property("7")), "7");
}

TEST(MessageKeyTest, ItHasNoPatternsThatATableCouldTripOver) {
  std::set<inbox::MessageKey> keys;
  for (int i = 0; i < 1'000; ++i) {
    keys.insert(message_key(by_payload(false), test::message("a", std::to_string(i))).value());
  }
  EXPECT_EQ(keys.size(), 1'000U);
}

TEST(MessageKeyTest, AnEmptyPayloadIsAPayload) {
  EXPECT_TRUE(message_key(by_payload(true), test::message("a", "")));
}

}  // namespace
}  // namespace triggerd::dispatch
