#include "mqtt/packet/properties.hpp"

#include <gtest/gtest.h>

#include "mqtt/packet/topic_aliases.hpp"
#include "mqtt/reason.hpp"
#include "support/mqtt_packet.hpp"

namespace triggerd::mqtt {
namespace {

namespace packet = triggerd::test::packet;

TEST(Properties, OrderAndDuplicatesStayThroughBytes) {
  const std::vector<Property> all{{.id = 0x26, .name = "k", .value = "1"},
                                  {.id = 0x01, .number = 1},
                                  {.id = 0x02, .number = 0xffff'fffe},
                                  {.id = 0x26, .name = "k", .value = "2"},
                                  {.id = 0x09, .value = std::string_view("\0\xff", 2)},
                                  {.id = 0x0b, .number = 268'435'455},
                                  {.id = 0x0b, .number = 127},
                                  {.id = 0x23, .number = 65'535},
                                  {.id = 0x03, .value = ""},
                                  {.id = 0x26, .name = "", .value = ""}};
  std::string bytes;
  for (const Property& property : all) encode_property(bytes, property);
  const auto decoded = decode_properties(bytes);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, all);
  EXPECT_EQ(user_property(bytes, "k"), "1");
  EXPECT_EQ(user_property(bytes, ""), "");
  EXPECT_EQ(user_property(bytes, "x"), std::nullopt);
}

TEST(Properties, BytesAreThoseOfTheSpecification) {
  std::string bytes;
  encode_property(bytes, {.id = 0x0b, .number = 128});
  EXPECT_EQ(bytes, std::string("\x0b\x80\x01", 3));
  bytes.clear();
  encode_property(bytes, {.id = 0x26, .name = "k", .value = "vv"});
  EXPECT_EQ(bytes, packet::user_property("k", "vv"));
  bytes.clear();
  encode_property(bytes, {.id = 0x02, .number = 0x01020304});
  EXPECT_EQ(bytes, packet::u32_property(0x02, 0x01020304));
  encode_property(bytes, {.id = 0x7f, .number = 1});
  EXPECT_EQ(bytes.size(), 5U) << "there is no such property";
}

TEST(Properties, WhatIsCutOrUnknownIsAnError) {
  const std::string whole = packet::user_property("key", "value") + packet::u32_property(0x02, 7) +
                            std::string("\x0b\x80\x01", 3);
  ASSERT_TRUE(decode_properties(whole));
  for (std::size_t size = 1; size < whole.size(); ++size) {
    const bool between = size == 13 || size == 18;
    EXPECT_EQ(decode_properties(whole.substr(0, size)).has_value(), between) << size;
  }
  EXPECT_FALSE(decode_properties(std::string("\x7f\0", 2)));
  EXPECT_FALSE(decode_properties(std::string("\x0b\xff\xff\xff\xff\x01", 6)));
  EXPECT_TRUE(decode_properties("")->empty());
}

TEST(Properties, OnlyWhatAClientMayPublishWithIsLetOut) {
  const auto may = [](std::vector<Property> list) {
    return check_publish_properties(list).has_value();
  };
  EXPECT_TRUE(may({{.id = 0x01, .number = 1},
                   {.id = 0x02, .number = 60},
                   {.id = 0x03, .value = "text/plain"},
                   {.id = 0x08, .value = "back/to/me"},
                   {.id = 0x09, .value = "\xff"},
                   {.id = 0x26, .name = "a", .value = "b"},
                   {.id = 0x26, .name = "a", .value = "b"}}));
  EXPECT_FALSE(may({{.id = 0x01, .number = 2}}));
  EXPECT_FALSE(may({{.id = 0x02, .number = 1ULL << 32}}));
  EXPECT_FALSE(may({{.id = 0x03, .value = "\xff"}}));
  EXPECT_FALSE(may({{.id = 0x08, .value = "a/#"}}));
  EXPECT_FALSE(may({{.id = 0x08, .value = ""}}));
  EXPECT_FALSE(may({{.id = 0x0b, .number = 1}})) << "only servers send it";
  EXPECT_FALSE(may({{.id = 0x11, .number = 1}})) << "not of a PUBLISH";
  EXPECT_FALSE(may({{.id = 0x23, .number = 1}}));
  EXPECT_FALSE(may({{.id = 0x26, .name = "\xff", .value = "b"}}));
  EXPECT_FALSE(may({{.id = 0x26, .name = "a", .value = std::string_view("\0", 1)}}));
  EXPECT_FALSE(may({{.id = 0x7f}}));
  EXPECT_FALSE(may({{.id = 0x03, .value = "a"}, {.id = 0x03, .value = "a"}}));
  const std::vector<Property> received{{.id = 0x0b, .number = 1},
                                       {.id = 0x02, .number = 60},
                                       {.id = 0x26, .name = "a", .value = "b"}};
  EXPECT_EQ(publishable(received), std::vector<Property>{received[2]});
}

TEST(Reason, SaysWhatTheCodeMeansAndWhatTheServerSaid) {
  EXPECT_EQ(reason_text(0x87), "not authorized (reason code 0x87)");
  EXPECT_EQ(reason_text(0x97, "ten a day"),
            "a quota is exceeded (reason code 0x97): \"ten a day\"");
  EXPECT_EQ(reason_text(0xff), "unknown reason (reason code 0xff)");
  EXPECT_EQ(reason_text(0x80, "a\nb").find('\n'), std::string::npos) << "it is from outside";
}

TEST(Reason, IsReadFromARefusingConnack) {
  const std::string properties =
      packet::user_property("a", "b") + packet::text_property(0x1f, "go away");
  const std::string connack = packet::encode(packet::ConnAck{false, 0x87, properties}, packet::k5);
  EXPECT_EQ(connack_reason(connack), "go away");
  EXPECT_EQ(connack_reason(packet::encode(packet::ConnAck{false, 0x87}, packet::k5)), "");
  EXPECT_EQ(connack_reason(packet::encode(packet::ConnAck{false, 5})), "") << "of 3.1.1";
  EXPECT_EQ(connack_reason("HTTP/1.1 400"), "");
  for (std::size_t size = 0; size < connack.size(); ++size) {
    EXPECT_EQ(connack_reason(connack.substr(0, size)), "") << size;
  }
}

TEST(TopicAliases, AnAliasStandsForTheTopicItWasGivenWith) {
  TopicAliases aliases;
  EXPECT_EQ(aliases.resolve(1, ""), std::nullopt);
  EXPECT_EQ(aliases.resolve(1, "a"), "a");
  EXPECT_EQ(aliases.resolve(2, "b"), "b");
  EXPECT_EQ(aliases.resolve(1, ""), "a");
  EXPECT_EQ(aliases.resolve(1, "c"), "c") << "given anew";
  EXPECT_EQ(aliases.resolve(1, ""), "c");
  EXPECT_EQ(aliases.resolve(0, "a"), std::nullopt);
  EXPECT_EQ(aliases.resolve(TopicAliases::kMaximum + 1, "a"), std::nullopt);
  aliases.clear();
  EXPECT_EQ(aliases.resolve(2, ""), std::nullopt) << "another connection";
}

}  // namespace
}  // namespace triggerd::mqtt
