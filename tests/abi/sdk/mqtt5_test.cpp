// MQTT 5 in the SDK: reading properties, publishing with them, answering a request.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

#include "under_test.hpp"

namespace {

using trigger::Context;
using trigger::Message;
using trigger::Properties;
using trigger::Publish;
using trigger::Verdict;
using trigger::testing::Property;
using under_test::run;

TEST(SdkMqtt5, AServiceReadsProperties) {
  auto instance = run([](const Context&, const Message& message) {
    EXPECT_TRUE(message.mqtt5());
    EXPECT_EQ(message.content_type(), std::string_view("text/plain"));
    EXPECT_EQ(message.user_property("a"), std::string_view("1")) << "the first of its name";
    EXPECT_EQ(message.user_property("b"), std::string_view(""));
    EXPECT_EQ(message.user_property("c"), std::nullopt);
    EXPECT_EQ(message.response_topic(), std::nullopt);
    EXPECT_EQ(message.correlation_data(), std::string_view("\0\xff", 2));
    EXPECT_EQ(message.property_count(), 5u);
    EXPECT_EQ(message.find_property(TRIGGER_PROPERTY_MESSAGE_EXPIRY), nullptr);
    return Verdict::ok();
  });
  trigger::testing::Message message;
  message.properties = {Property::user("a", "1"), Property::content_type("text/plain"),
                        Property::user("a", "2"), Property::user("b", ""),
                        Property::correlation_data(std::string("\0\xff", 2))};
  EXPECT_EQ(instance.send(message).code(), TRIGGER_OK);
}

TEST(SdkMqtt5, AMessageOf311HasNone) {
  auto instance = run([](const Context&, const Message& message) {
    EXPECT_EQ(message.content_type(), std::nullopt);
    return message.mqtt5() ? Verdict::ok() : Verdict::reject("not 5");
  });
  EXPECT_EQ(instance.send({}).reason(), "not 5");
  trigger::testing::Message bare;
  bare.mqtt5 = true;
  EXPECT_EQ(instance.send(bare).code(), TRIGGER_OK);
}

TEST(SdkMqtt5, PropertiesKeepTheirOrderAndTheirText) {
  auto instance = run([](const Context& context, const Message&) {
    Properties properties;
    for (int i = 0; i < 40; ++i) {  // the texts of those before do not move
      properties.user(std::to_string(i), "v");
    }
    properties.content_type("text/plain").message_expiry(60).payload_is_text();
    properties.response_topic("back").correlation_data(std::string_view("\0x", 2));
    Publish message{"out", "x"};
    message.set(properties);
    return Verdict::from_publish(context.publish(message));
  });
  instance.send({});
  const auto published = instance.publishes();
  ASSERT_EQ(published.size(), 1u);
  const auto& properties = published[0].properties;
  ASSERT_EQ(properties.size(), 45u);
  for (std::size_t i = 0; i < 40; ++i) EXPECT_EQ(properties[i].name, std::to_string(i));
  EXPECT_EQ(properties[40].value, "text/plain");
  EXPECT_EQ(properties[41].number, 60u);
  EXPECT_EQ(properties[42].number, 1u);
  EXPECT_EQ(properties[43].value, "back");
  EXPECT_EQ(properties[44].value, std::string("\0x", 2));
}

trigger::testing::Message request() {
  trigger::testing::Message message{"question", "21"};
  message.properties = {Property::user("a", "1"), Property::response_topic("clients/7/answers"),
                        Property::correlation_data(std::string("\0\x07", 2))};
  return message;
}

TEST(SdkMqtt5, AReplyGoesToTheResponseTopicWithTheCorrelationData) {
  auto instance = run([](const Context& context, const Message& message) {
    return Verdict::from_publish(context.reply(message, "42"));
  });
  EXPECT_EQ(instance.send(request()).code(), TRIGGER_OK);
  const auto published = instance.publishes();
  ASSERT_EQ(published.size(), 1u);
  EXPECT_EQ(published[0].topic, "clients/7/answers");
  EXPECT_EQ(published[0].payload, "42");
  EXPECT_EQ(published[0].alias, "");
  EXPECT_EQ(published[0].qos, 1u);
  ASSERT_EQ(published[0].properties.size(), 1u);
  EXPECT_EQ(published[0].properties[0].id, TRIGGER_PROPERTY_CORRELATION_DATA);
  EXPECT_EQ(published[0].properties[0].value, std::string("\0\x07", 2));
  EXPECT_FALSE(published[0].wants_result);
}

TEST(SdkMqtt5, AReplyMayHaveMoreAndTellItsResult) {
  static std::optional<std::int32_t> result;
  result.reset();
  auto instance = run([](const Context& context, const Message& message) {
    Properties properties;
    properties.user("took", "3ms");
    Publish answer{"ignored", "42"};
    answer.qos = 2;
    answer.set(properties);
    return Verdict::from_publish(
        context.reply(message, answer, [](std::int32_t code, std::string_view) { result = code; }));
  });
  instance.send(request());
  const auto published = instance.publishes();
  ASSERT_EQ(published.size(), 1u);
  EXPECT_EQ(published[0].topic, "clients/7/answers");
  EXPECT_EQ(published[0].qos, 2u);
  ASSERT_EQ(published[0].properties.size(), 2u);
  EXPECT_EQ(published[0].properties[0].name, "took");
  instance.finish_publish(0);
  EXPECT_EQ(result, TRIGGER_OK);
}

TEST(SdkMqtt5, ARequestWithoutCorrelationDataGetsAnAnswerWithout) {
  auto instance = run([](const Context& context, const Message& message) {
    return Verdict::from_publish(context.reply(message, "42"));
  });
  trigger::testing::Message message;
  message.properties = {Property::response_topic("back")};
  instance.send(message);
  ASSERT_EQ(instance.publishes().size(), 1u);
  EXPECT_TRUE(instance.publishes()[0].properties.empty());
}

TEST(SdkMqtt5, WhatIsNoRequestHasNoAnswer) {
  auto instance = run([](const Context& context, const Message& message) {
    EXPECT_EQ(context.reply(message, "42"), TRIGGER_E_INVALID);
    EXPECT_EQ(context.reply(message, "42", [](std::int32_t, std::string_view) { FAIL(); }),
              TRIGGER_E_INVALID);
    return Verdict::ok();
  });
  instance.send({"question", "21"});
  EXPECT_TRUE(instance.publishes().empty());
  EXPECT_TRUE(instance.violations().empty());
}

// What a service in C calls.
TEST(SdkMqtt5, TheReplyOfCIsTheSame) {
  static int calls;
  static trigger_publish seen;
  calls = 0;
  trigger_host host{};
  host.publish = [](void*, const trigger_publish* publish) -> std::int32_t {
    ++calls;
    seen = *publish;
    return TRIGGER_E_FULL;
  };
  const auto bytes = [](std::string_view text) {
    return trigger_bytes{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  };
  const trigger_property properties[] = {
      {TRIGGER_PROPERTY_CORRELATION_DATA, 0, 0, {"", 0}, bytes("7")},
      {TRIGGER_PROPERTY_RESPONSE_TOPIC, 0, 0, {"", 0}, bytes("back")}};
  trigger_message message{};
  EXPECT_EQ(trigger_reply(&host, &message, bytes("42"), 1, nullptr, nullptr), TRIGGER_E_INVALID);
  EXPECT_EQ(calls, 0);
  message.properties = properties;
  message.property_count = 2;
  EXPECT_EQ(trigger_reply(&host, &message, bytes("42"), 2, nullptr, nullptr), TRIGGER_E_FULL);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(seen.struct_size, sizeof seen);
  EXPECT_EQ(std::string_view(seen.topic.ptr, seen.topic.len), "back");
  EXPECT_EQ(seen.payload.len, 2u);
  EXPECT_EQ(seen.qos, 2u);
  EXPECT_EQ(seen.property_count, 1u);
  EXPECT_EQ(seen.properties, &properties[0]);
  message.property_count = 1;  // no response topic
  EXPECT_EQ(trigger_reply(&host, &message, bytes("42"), 1, nullptr, nullptr), TRIGGER_E_INVALID);
}

}  // namespace
