#include "support/mqtt_packet.hpp"

#include <gtest/gtest.h>

namespace triggerd::test::packet {
namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

// The packet that is in `encoded` and fills it.
Any decoded(const std::string& encoded, std::uint8_t level = k311) {
  const auto result = decode(encoded, level);
  if (!result) {
    ADD_FAILURE() << result.error().message;
    return Disconnect{};
  }
  if (!*result) {
    ADD_FAILURE() << "incomplete";
    return Disconnect{};
  }
  EXPECT_EQ((*result)->size, encoded.size());
  return (*result)->packet;
}

std::string fault(const std::string& encoded, std::uint8_t level = k311) {
  const auto result = decode(encoded, level);
  return result ? "none" : result.error().message;
}

Connect full_connect() {
  Connect connect;
  connect.client_id = "edge-1.alarms";
  connect.clean_session = false;
  connect.keep_alive = 300;
  connect.will = Will{"plant/state", "lost", 2, true};
  connect.user_name = "edge";
  connect.password = std::string("a\0b", 3);
  return connect;
}

std::vector<Any> one_of_each() {
  return {full_connect(),
          Connect{},
          ConnAck{true, 5},
          Publish{"a/b", std::string("\0\xff", 2), 0, true, false, 0},
          Publish{"a/b", "", 1, false, true, 1},
          Publish{"t", std::string(200'000, 'x'), 2, false, false, 65535},
          PubAck{1},
          PubRec{256},
          PubRel{65535},
          PubComp{7},
          Subscribe{10, {{"#", 0}, {"a/+/b", 2}}},
          SubAck{10, {0, 1, 2, 0x80}},
          Unsubscribe{11, {"#", "a/+/b"}},
          UnsubAck{11},
          PingReq{},
          PingResp{},
          Disconnect{}};
}

TEST(MqttPacket, EveryPacketDecodesToWhatWasEncoded) {
  for (const Any& packet : one_of_each()) {
    EXPECT_TRUE(decoded(encode(packet)) == packet) << to_string(type_of(packet));
  }
}

std::vector<Any> one_of_each5() {
  const std::string user = user_property("k", "v");
  Connect connect = full_connect();
  connect.level = k5;
  connect.properties = u32_property(0x11, 3600) + u16_property(0x21, 10);
  connect.will->properties = user;
  return {connect,
          ConnAck{true, 0x87, text_property(0x1f, "no")},
          Publish{"a/b", std::string("\0\xff", 2), 0, true, false, 0, user},
          Publish{"a/b", "", 1, false, true, 1, ""},
          Publish{"", "x", 1, false, false, 1, u16_property(0x23, 7)},
          Publish{"t", "x", 2, false, false, 65535, user_property(std::string(200, 'n'), "v")},
          PubAck{1},
          PubAck{1, 0x10},
          PubRec{256, 0x97, user},
          PubRel{65535, 0x92},
          PubComp{7, 0, user},
          Subscribe{10, {{"#", 0, true}, {"a", 2, false, true, 2}}, byte_property(0x0b, 7)},
          SubAck{10, {0, 1, 2, 0x80, 0x9e}, user},
          Unsubscribe{11, {"#", "a/+/b"}, user},
          UnsubAck{11, {0, 0x11, 0x87}, user},
          PingReq{},
          PingResp{},
          Disconnect{},
          Disconnect{0x8e, text_property(0x1f, "taken over")}};
}

TEST(MqttPacket, EveryPacketOfVersion5DecodesToWhatWasEncoded) {
  for (const Any& packet : one_of_each5()) {
    const std::string whole = encode(packet, k5);
    EXPECT_TRUE(decoded(whole, k5) == packet) << to_string(type_of(packet));
    const auto cut = decode(std::string_view(whole).substr(0, whole.size() - 1), k5);
    ASSERT_TRUE(cut.has_value()) << cut.error().message;
    EXPECT_FALSE(cut->has_value()) << to_string(type_of(packet));
  }
}

TEST(MqttPacket, BytesOfVersion5AreThoseOfItsSpecification) {
  EXPECT_EQ(encode(PubAck{0x1234}, k5), bytes({0x40, 2, 0x12, 0x34}));
  EXPECT_EQ(encode(PubAck{0x1234, 0x10}, k5), bytes({0x40, 3, 0x12, 0x34, 0x10}));
  EXPECT_EQ(encode(Subscribe{10, {{"a", 1, true, true, 2}}, byte_property(0x0b, 9)}, k5),
            bytes({0x82, 9, 0, 10, 2, 0x0b, 9, 0, 1, 'a', 0x2d}));
  EXPECT_EQ(encode(Publish{"a", "!", 1, false, false, 10, user_property("k", "v")}, k5),
            bytes({0x32, 14, 0, 1, 'a', 0, 10, 7, 0x26, 0, 1, 'k', 0, 1, 'v', '!'}));
  EXPECT_EQ(encode(Disconnect{}, k5), bytes({0xe0, 0}));
  EXPECT_EQ(fault(bytes({0x40, 5, 0, 1, 0, 9, 0}), k5),
            "malformed PUBACK: it ends inside its properties");
  EXPECT_EQ(fault(bytes({0x40, 3, 0, 1, 0})), "malformed PUBACK: it has bytes after its end");
}

// The examples of the specification's own figures, so that encode and decode cannot be wrong alike.
TEST(MqttPacket, BytesAreThoseOfTheSpecification) {
  EXPECT_EQ(encode(PubRel{0x1234}), bytes({0x62, 2, 0x12, 0x34}));
  EXPECT_EQ(encode(ConnAck{true, 2}), bytes({0x20, 2, 1, 2}));
  EXPECT_EQ(encode(Subscribe{10, {{"a/b", 1}}}), bytes({0x82, 8, 0, 10, 0, 3, 'a', '/', 'b', 1}));
  EXPECT_EQ(encode(Publish{"a/b", "!", 1, true, true, 10}),
            bytes({0x3b, 8, 0, 3, 'a', '/', 'b', 0, 10, '!'}));
  EXPECT_EQ(encode(Publish{"a/b", "!", 0, false, false, 10}),
            bytes({0x30, 6, 0, 3, 'a', '/', 'b', '!'}));
  Connect connect;
  connect.client_id = "c";
  connect.keep_alive = 10;
  connect.will = Will{"w", "x", 1, true};
  connect.user_name = "u";
  connect.password = "p";
  EXPECT_EQ(encode(connect), bytes({0x10, 25, 0, 4,   'M', 'Q', 'T', 'T', 4, 0xee, 0, 10, 0,  1,
                                    'c',  0,  1, 'w', 0,   1,   'x', 0,   1, 'u',  0, 1,  'p'}));
}

TEST(MqttPacket, LengthsTakeAsManyBytesAsTheSpecificationSays) {
  EXPECT_EQ(encode_header(Type::publish, 0, 0), bytes({0x30, 0}));
  EXPECT_EQ(encode_header(Type::publish, 0, 127), bytes({0x30, 0x7f}));
  EXPECT_EQ(encode_header(Type::publish, 0, 128), bytes({0x30, 0x80, 1}));
  EXPECT_EQ(encode_header(Type::publish, 0, 16'384), bytes({0x30, 0x80, 0x80, 1}));
  EXPECT_EQ(encode_header(Type::publish, 0, 268'435'455), bytes({0x30, 0xff, 0xff, 0xff, 0x7f}));
}

TEST(MqttPacket, APacketIsIncompleteUntilItsLastByte) {
  for (const Any& packet : one_of_each()) {
    const std::string whole = encode(packet);
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, whole.size() / 2, whole.size() - 1}) {
      const auto result = decode(std::string_view(whole).substr(0, size));
      ASSERT_TRUE(result.has_value()) << result.error().message;
      EXPECT_FALSE(result->has_value()) << to_string(type_of(packet)) << " cut to " << size;
    }
  }
}

TEST(MqttPacket, ReadsTheFirstOfSeveral) {
  const auto result = decode(encode(PubAck{3}) + encode(PingReq{}));
  ASSERT_TRUE(result && *result);
  EXPECT_EQ((*result)->size, 4U);
  EXPECT_TRUE((*result)->packet == Any(PubAck{3}));
}

TEST(MqttPacket, FaultsAreNamed) {
  EXPECT_EQ(fault(bytes({0x00, 0})), "malformed packet: its type 0 is reserved");
  EXPECT_EQ(fault(bytes({0xf0, 0})), "malformed packet: its type 15 is reserved");
  EXPECT_EQ(fault(bytes({0x60, 2, 0, 1})), "malformed PUBREL: its flags are 0, not 2");
  EXPECT_EQ(fault(bytes({0x30, 0xff, 0xff, 0xff, 0xff, 1})),
            "malformed PUBLISH: its length takes over 4 bytes");
  EXPECT_EQ(fault(bytes({0x40, 2, 0, 0})), "malformed PUBACK: the packet id is 0");
  EXPECT_EQ(fault(bytes({0x40, 1, 9})), "malformed PUBACK: it ends inside the packet id");
  EXPECT_EQ(fault(bytes({0x40, 3, 0, 1, 0})), "malformed PUBACK: it has bytes after its end");
  EXPECT_EQ(fault(bytes({0x36, 3, 0, 1, 't'})), "malformed PUBLISH: the QoS is 3");
  EXPECT_EQ(fault(bytes({0x38, 3, 0, 1, 't'})), "malformed PUBLISH: DUP with QoS 0");
  EXPECT_EQ(fault(bytes({0x30, 3, 0, 5, 't'})), "malformed PUBLISH: it ends inside the topic");
  EXPECT_EQ(fault(bytes({0x30, 3, 0, 1, '#'})), "malformed PUBLISH: the topic has a wildcard");
  EXPECT_EQ(fault(bytes({0x30, 2, 0, 0})), "malformed PUBLISH: the topic is empty");
  EXPECT_EQ(fault(bytes({0x82, 2, 0, 1})), "malformed SUBSCRIBE: it has no filter");
  EXPECT_EQ(fault(bytes({0x82, 6, 0, 1, 0, 1, '#', 3})),
            "malformed SUBSCRIBE: a filter's QoS is over 2");
  EXPECT_EQ(fault(bytes({0x90, 3, 0, 1, 3})),
            "malformed SUBACK: a return code is neither a QoS nor 0x80");
  EXPECT_EQ(fault(bytes({0xa2, 4, 0, 1, 0, 0})), "malformed UNSUBSCRIBE: a filter is empty");

  Connect nameless;
  nameless.clean_session = false;
  EXPECT_EQ(fault(encode(nameless)), "malformed CONNECT: an empty client id without clean session");
  std::string newer = encode(full_connect());
  newer[8] = 6;
  EXPECT_EQ(fault(newer), "malformed CONNECT: the protocol level is 6");
  std::string older = encode(full_connect());
  older[4] = 'X';
  EXPECT_EQ(fault(older), "malformed CONNECT: the protocol name is \"XQTT\"");
}

}  // namespace
}  // namespace triggerd::test::packet
