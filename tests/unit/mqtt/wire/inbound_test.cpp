// Bytes to packets, in every cut.
#include "mqtt/wire/inbound.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "support/mqtt_packet.hpp"

namespace triggerd::mqtt::wire {
namespace {

namespace packet = triggerd::test::packet;

// Buffers that are counted.
struct Lent {
  Inbound::Buffers buffers() {
    return {.take =
                [this] {
                  ++out;
                  most = std::max(most, out);
                  return std::unique_ptr<char[]>(new char[Inbound::kAhead]);
                },
            .give =
                [this](std::unique_ptr<char[]> buffer) {
                  EXPECT_TRUE(buffer);
                  --out;
                }};
  }
  int out = 0;
  int most = 0;
};

struct Came {
  std::uint8_t first = 0;
  std::string body = {};
  std::uint64_t size = 0;
  bool skipped = false;
  bool cut = false;
  std::string bytes = {};  // from its first byte, where it is all there
  friend bool operator==(const Came&, const Came&) = default;
};

class Stream {
 public:
  explicit Stream(std::uint64_t most = 1 << 20, bool v5 = false) : inbound(lent.buffers()) {
    inbound.limit_messages(most);
    inbound.expect_properties(v5);
  }
  // As reads of at most `cut` bytes bring it, with all packets taken after each.
  void add(std::string_view bytes, std::size_t cut = SIZE_MAX) {
    while (!bytes.empty() && inbound.wrong().empty()) {
      const Inbound::Room room = inbound.room();
      ASSERT_GT(room.size, 0U);
      const std::size_t some = std::min({bytes.size(), room.size, cut});
      std::memcpy(room.at, bytes.data(), some);
      bytes.remove_prefix(some);
      inbound.on_received(some);
      take();
    }
  }
  void take() {
    while (const Packet* one = inbound.front()) {
      EXPECT_EQ(inbound.front(), one) << "the same until pop()";
      EXPECT_EQ(inbound.first_byte(), one->first);
      Came came{one->first, std::string(one->body), one->size, one->skipped, one->cut, {}};
      if (!one->skipped) came.bytes = std::string(inbound.front_bytes());
      packets.push_back(std::move(came));
      inbound.pop();
    }
  }

  Lent lent;
  Inbound inbound;
  std::vector<Came> packets;
};

std::string message(std::size_t payload, std::uint8_t qos = 0, std::string topic = "t") {
  std::string bytes(payload, '\0');
  for (std::size_t i = 0; i < payload; ++i) bytes[i] = static_cast<char>(i * 31 % 253);
  return packet::encode(
      packet::Publish{.topic = std::move(topic), .payload = bytes, .qos = qos, .packet_id = 7});
}

// One of each kind that a server may send, and of those that it may not.
std::vector<std::string> every_kind() {
  std::vector<std::string> all;
  for (const std::uint8_t level : {packet::k311, packet::k5}) {
    const std::string reason = level == packet::k5 ? packet::text_property(0x1f, "why") : "";
    const packet::Any kinds[] = {
        packet::Connect{.client_id = "c", .level = level},
        packet::ConnAck{.session_present = true, .properties = reason},
        packet::Publish{.topic = "a/b", .payload = "payload", .qos = 2, .packet_id = 300},
        packet::Publish{.topic = "", .payload = ""},
        packet::PubAck{.packet_id = 1, .properties = reason},
        packet::PubRec{.packet_id = 2},
        packet::PubRel{.packet_id = 3, .properties = reason},
        packet::PubComp{.packet_id = 4},
        packet::Subscribe{.packet_id = 5, .filters = {{.filter = "a/#"}}},
        packet::SubAck{.packet_id = 6, .return_codes = std::vector<std::uint8_t>(200, 1)},
        packet::Unsubscribe{.packet_id = 7, .filters = {"a/#"}},
        packet::UnsubAck{.packet_id = 8},
        packet::PingReq{},
        packet::PingResp{},
        packet::Disconnect{}};
    for (const packet::Any& one : kinds) all.push_back(packet::encode(one, level));
  }
  return all;
}

void expect_to_be(const std::vector<Came>& packets, const std::vector<std::string>& sent) {
  ASSERT_EQ(packets.size(), sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    ASSERT_TRUE(packets[i].bytes == sent[i]) << i;
    ASSERT_EQ(packets[i].first, static_cast<std::uint8_t>(sent[i][0]));
    ASSERT_TRUE(sent[i].ends_with(packets[i].body));
    ASSERT_EQ(packets[i].size, packets[i].body.size());
    ASSERT_FALSE(packets[i].skipped || packets[i].cut);
  }
}

TEST(WireInbound, EveryKindComesWholeInEveryCutIntoTwo) {
  for (const std::string& one : every_kind()) {
    for (std::size_t cut = 1; cut <= one.size(); ++cut) {
      Stream stream;
      stream.add(one.substr(0, cut));
      EXPECT_EQ(stream.inbound.first_byte().has_value(), cut < one.size());
      EXPECT_EQ(stream.packets.size(), cut == one.size() ? 1U : 0U);
      stream.add(one.substr(cut));
      expect_to_be(stream.packets, {one});
      EXPECT_TRUE(stream.inbound.empty());
      EXPECT_FALSE(stream.inbound.first_byte());
    }
  }
}

TEST(WireInbound, SeveralComeInOneReadAndByteByByte) {
  const auto kinds = every_kind();
  std::string all;
  for (const std::string& one : kinds) all += one;
  for (const std::size_t cut : {SIZE_MAX, std::size_t{1}, std::size_t{2}, std::size_t{7}}) {
    Stream stream;
    stream.add(all, cut);
    expect_to_be(stream.packets, kinds);
    EXPECT_TRUE(stream.inbound.empty());
  }
}

TEST(WireInbound, SizesAroundItsBoundsComeWhole) {
  constexpr std::size_t kMost = 200'000;
  std::vector<std::string> sent;
  for (const std::size_t bound :
       {std::size_t{127}, Inbound::kLittle, Inbound::kLarge, Inbound::kAhead, kMost}) {
    for (std::size_t size = bound - 8; size <= bound + 8; ++size) sent.push_back(message(size, 1));
  }
  std::string all;
  for (const std::string& one : sent) all += one;
  // And from small to large and back, which is when reading ahead changes.
  std::reverse(sent.begin(), sent.end());
  std::string other;
  for (const std::string& one : sent) other += one;
  std::vector<std::string> expected(sent.rbegin(), sent.rend());
  expected.insert(expected.end(), sent.begin(), sent.end());
  for (const std::size_t cut :
       {SIZE_MAX, Inbound::kAhead, std::size_t{16'385}, std::size_t{1'000}}) {
    Stream stream(kMost);
    stream.add(all + other, cut);
    expect_to_be(stream.packets, expected);
    EXPECT_EQ(stream.lent.most, 1);
  }
}

TEST(WireInbound, BehindALargeOneLittleIsReadAhead) {
  Stream stream;
  stream.add(message(Inbound::kLarge));
  EXPECT_EQ(stream.inbound.room().size, Inbound::kLittle);
  stream.add(message(10));
  EXPECT_EQ(stream.inbound.room().size, Inbound::kAhead);
}

TEST(WireInbound, ALargeOneIsReadIntoMemoryThatIsItsOwnAndIsTaken) {
  Stream stream;
  const std::string large = message(Inbound::kLarge, 2);
  const Inbound::Room room = stream.inbound.room();
  std::memcpy(room.at, large.data(), 1'000);
  stream.inbound.on_received(1'000);
  EXPECT_EQ(stream.inbound.front(), nullptr);
  const Inbound::Room rest = stream.inbound.room();
  EXPECT_EQ(rest.size, large.size() - 1'000) << "not a byte of what is behind it";
  std::memcpy(rest.at, large.data() + 1'000, rest.size);
  stream.inbound.on_received(rest.size);
  const Packet* const one = stream.inbound.front();
  ASSERT_NE(one, nullptr);
  char* const memory = stream.inbound.take_memory();
  ASSERT_NE(memory, nullptr);
  EXPECT_EQ(stream.inbound.take_memory(), nullptr);
  const std::string_view body = one->body;
  stream.inbound.pop();
  EXPECT_TRUE(stream.inbound.empty());
  stream.add(message(5));
  EXPECT_EQ(stream.packets.size(), 1U);
  EXPECT_TRUE(large.ends_with(body)) << "its views stay valid";
  std::free(memory);

  stream.inbound.on_received(0);
  stream.add(message(5));
  EXPECT_EQ(stream.inbound.take_memory(), nullptr) << "one that was read ahead has none";
}

// ---- Messages that pass by ----

TEST(WireInbound, AMessageIsTooLargeForMemoryOnlyWithItsAllowance) {
  constexpr std::size_t kMost = 1'000;
  const std::size_t head = 1 + 3 + 3;  // its length takes three bytes
  for (const std::size_t total : {kMost + Inbound::kAllowance, kMost + Inbound::kAllowance + 1}) {
    Stream stream(kMost);
    const std::string one = message(total - head);
    ASSERT_EQ(one.size(), total);
    stream.add(one);
    ASSERT_EQ(stream.packets.size(), 1U);
    EXPECT_EQ(stream.packets[0].skipped, total > kMost + Inbound::kAllowance);
    EXPECT_EQ(stream.packets[0].size, total - 4);
  }
}

TEST(WireInbound, ALargerOnePassesByAndItsBeginningStays) {
  const std::string properties = packet::user_property("k", std::string(5'000, 'v'));
  const std::string topic(70, 't');
  const std::string large =
      packet::encode(packet::Publish{.topic = topic,
                                     .payload = std::string(std::size_t{17} << 20, 'p'),
                                     .qos = 2,
                                     .packet_id = 0x0102,
                                     .properties = properties},
                     packet::k5);
  const std::string next = packet::encode(packet::PingResp{});
  for (const std::size_t cut : {SIZE_MAX, std::size_t{1'009}}) {
    Stream stream(1 << 20, true);
    stream.add(large + next, cut);
    ASSERT_EQ(stream.packets.size(), 2U);
    const Came& came = stream.packets[0];
    EXPECT_TRUE(came.skipped);
    EXPECT_FALSE(came.cut);
    EXPECT_EQ(came.first, static_cast<std::uint8_t>(large[0]));
    const std::size_t head = 1 + 4;
    EXPECT_EQ(came.size, large.size() - head);
    // Topic, packet id, and properties with their length; nothing of the payload.
    EXPECT_EQ(came.body, large.substr(head, 2 + topic.size() + 2 + 2 + properties.size()));
    EXPECT_EQ(stream.packets[1].bytes, next);
    EXPECT_EQ(stream.lent.most, 1);
    EXPECT_TRUE(stream.inbound.empty());
  }
}

TEST(WireInbound, OneOfMqtt3IsKeptUpToItsPacketId) {
  for (const std::uint8_t qos : {std::uint8_t{0}, std::uint8_t{1}}) {
    const std::string topic(65'535, 't');
    const std::string large = message(300'000, qos, topic);
    Stream stream(1'000);
    stream.add(large);
    ASSERT_EQ(stream.packets.size(), 1U);
    EXPECT_TRUE(stream.packets[0].body == large.substr(4, 2 + topic.size() + (qos > 0 ? 2 : 0)));
  }
}

TEST(WireInbound, OneThatPassesByIsTheSameInEveryCut) {
  const std::string large =
      packet::encode(packet::Publish{.topic = "topic",
                                     .payload = std::string(140'000, 'p'),
                                     .qos = 1,
                                     .packet_id = 9,
                                     .properties = packet::user_property("k", "v")},
                     packet::k5);
  const std::string next = message(3);
  std::optional<std::vector<Came>> known;
  for (std::size_t cut = 1; cut < 60; ++cut) {
    Stream stream(1'000, true);
    stream.add(large.substr(0, cut));
    EXPECT_EQ(stream.inbound.first_byte(), static_cast<std::uint8_t>(large[0]));
    EXPECT_EQ(stream.inbound.front(), nullptr);
    stream.add(large.substr(cut, large.size() - cut - cut));
    stream.add(large.substr(large.size() - cut) + next);
    ASSERT_EQ(stream.packets.size(), 2U);
    if (!known) known = stream.packets;
    EXPECT_TRUE(stream.packets == *known) << cut;
  }
}

TEST(WireInbound, VeryLongPropertiesAreCut) {
  std::string properties;
  while (properties.size() < (std::size_t{3} << 20)) {
    properties += packet::user_property("k", std::string(65'000, 'v'));
  }
  const std::string large = packet::encode(
      packet::Publish{.topic = "t", .payload = "p", .properties = properties}, packet::k5);
  Stream stream(1'000, true);
  stream.add(large);
  ASSERT_EQ(stream.packets.size(), 1U);
  EXPECT_TRUE(stream.packets[0].skipped);
  EXPECT_TRUE(stream.packets[0].cut);
  EXPECT_LT(stream.packets[0].body.size(), std::size_t{1'200'000});
  EXPECT_TRUE(large.substr(5).starts_with(stream.packets[0].body));
}

// That is no long one: whoever looks at it finds out.
TEST(WireInbound, PropertiesThatGoOnBehindTheirPacketAreNotCut) {
  const std::string head("\x30\x80\x80\x10\0\1t\xff\xff\xff\x7f", 11);
  const std::string large = head + std::string(4 + 0x40000 - head.size(), 'x');
  Stream stream(1'000, true);
  stream.add(large);
  ASSERT_EQ(stream.packets.size(), 1U);
  EXPECT_TRUE(stream.packets[0].skipped);
  EXPECT_FALSE(stream.packets[0].cut);
}

// ---- What cannot be ----

TEST(WireInbound, ALengthOfFiveBytesIsWrongAsSoonAsItsFourthIsThere) {
  const std::string wrong("\x30\x80\x80\x80\x80", 5);
  for (std::size_t size = 1; size < wrong.size(); ++size) {
    Stream stream;
    stream.add(wrong.substr(0, size));
    EXPECT_EQ(stream.inbound.wrong(), "");
  }
  Stream stream;
  stream.add(message(3) + wrong + "\x01" + message(3));
  EXPECT_EQ(stream.packets.size(), 1U);
  EXPECT_NE(stream.inbound.wrong(), "");
  EXPECT_EQ(stream.inbound.front(), nullptr);
}

TEST(WireInbound, APacketThatIsNoMessageHasItsLimit) {
  const auto suback = [](std::size_t total) {
    return packet::encode_header(packet::Type::suback, 0, static_cast<std::uint32_t>(total - 4));
  };
  Stream fits(std::size_t{100} << 20);
  fits.add(suback(Inbound::kMostOfOthers) + std::string(Inbound::kMostOfOthers - 4, '\1'));
  EXPECT_EQ(fits.packets.size(), 1U);
  EXPECT_EQ(fits.inbound.wrong(), "");
  Stream stream(std::size_t{100} << 20);
  stream.add(suback(Inbound::kMostOfOthers + 1));
  EXPECT_NE(stream.inbound.wrong().find("a packet of 1048577 bytes that is not a PUBLISH"),
            std::string::npos)
      << stream.inbound.wrong();
}

// ---- Memory ----

TEST(WireInbound, MemoryForReadingAheadIsLentWhileSomethingIsInIt) {
  Stream stream;
  const std::string one = message(100);
  stream.add(one.substr(0, 50));
  stream.inbound.release_buffer();
  EXPECT_EQ(stream.lent.out, 1) << "a part of a packet is in it";
  Inbound::Room room = stream.inbound.room();
  std::memcpy(room.at, one.data() + 50, one.size() - 50);
  stream.inbound.on_received(one.size() - 50);
  ASSERT_NE(stream.inbound.front(), nullptr);
  stream.inbound.release_buffer();
  EXPECT_EQ(stream.lent.out, 1) << "a packet is in it";
  stream.inbound.pop();
  stream.inbound.release_buffer();
  EXPECT_EQ(stream.lent.out, 0);
  stream.inbound.release_buffer();
  EXPECT_EQ(stream.lent.out, 0);
  stream.add(one);
  stream.inbound.release_buffer();
  EXPECT_EQ(stream.packets.size(), 1U);
  EXPECT_EQ(stream.lent.out, 0);
}

TEST(WireInbound, BetweenTwoPartsOfALargeOneNothingIsLent) {
  Stream stream;
  for (const std::string& one : {message(100'000), message(2 << 20)}) {
    stream.add(one.substr(0, 50'000));
    stream.inbound.release_buffer();
    EXPECT_EQ(stream.lent.out, 0);
    stream.add(one.substr(50'000));
    stream.inbound.release_buffer();
    EXPECT_EQ(stream.lent.out, 0);
  }
  EXPECT_EQ(stream.packets.size(), 2U);
}

}  // namespace
}  // namespace triggerd::mqtt::wire
