#include "mqtt/packet/publish_packet.hpp"

#include <gtest/gtest.h>

#include "support/mqtt_packet.hpp"

namespace triggerd::mqtt {
namespace {

namespace packet = triggerd::test::packet;

TEST(PublishPacket, IsWhatAnotherEncoderMakes) {
  for (const std::size_t size : {0U, 1U, 100U, 200U, 20'000U, 3'000'000U}) {
    const std::string payload(size, 'p');
    for (const bool v5 : {false, true}) {
      const std::string properties = v5 ? packet::user_property("k", "v") : "";
      PublishPacket ours{.topic = "a/b",
                         .payload = payload,
                         .qos = 2,
                         .retained = true,
                         .dup = true,
                         .packet_id = 0x8123};
      if (v5) ours.properties = properties;
      std::string bytes;
      append_publish(bytes, ours);
      EXPECT_EQ(bytes.size(), size_of(ours));
      EXPECT_TRUE(bytes == packet::encode(packet::Publish{.topic = "a/b",
                                                          .payload = payload,
                                                          .qos = 2,
                                                          .retain = true,
                                                          .dup = true,
                                                          .packet_id = 0x8123,
                                                          .properties = properties},
                                          v5 ? packet::k5 : packet::k311))
          << size;
    }
  }
}

TEST(PublishPacket, PubrelIsWhatAnotherEncoderMakes) {
  std::string bytes = "before";
  append_pubrel(bytes, 0x8001);
  EXPECT_EQ(bytes, "before" + packet::encode(packet::PubRel{0x8001}));
}

TEST(PublishAnswers, AreRead) {
  const auto read = [](std::string_view bytes) {
    return read_publish_answer(static_cast<std::uint8_t>(bytes[0]), bytes.substr(2));
  };
  using Kind = PublishAnswer::Kind;
  const auto puback = read(packet::encode(packet::PubAck{7}));
  ASSERT_TRUE(puback);
  EXPECT_EQ(puback->kind, Kind::puback);
  EXPECT_EQ(puback->packet_id, 7);
  EXPECT_TRUE(puback->ends());
  const auto pubrec = read(packet::encode(packet::PubRec{8}));
  ASSERT_TRUE(pubrec);
  EXPECT_EQ(pubrec->kind, Kind::pubrec);
  EXPECT_FALSE(pubrec->ends());
  EXPECT_EQ(read(packet::encode(packet::PubComp{9}))->kind, Kind::pubcomp);
  EXPECT_FALSE(read(packet::encode(packet::PubRel{9})));
}

TEST(PublishAnswers, HaveAReasonWithMqtt5) {
  using namespace std::string_literals;
  const auto short_one = read_publish_answer(0x50, "\x80\x01\x87"s);
  ASSERT_TRUE(short_one);
  EXPECT_EQ(short_one->packet_id, 0x8001);
  EXPECT_EQ(short_one->reason, 0x87);
  EXPECT_TRUE(short_one->refuses());
  EXPECT_TRUE(short_one->ends()) << "no PUBREL follows";
  const auto with_words = read_publish_answer(0x40, "\x80\x01\x87\x05\x1f\x00\x02no"s);
  ASSERT_TRUE(with_words);
  EXPECT_EQ(with_words->why, "no");
}

}  // namespace
}  // namespace triggerd::mqtt
