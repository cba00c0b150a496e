#include "mqtt/packet/publish_head.hpp"

#include <gtest/gtest.h>

#include <string>

namespace triggerd::mqtt {
namespace {

// QoS 2, retained, topic "a/b", packet id 0x0102, payload "xy".
const std::string kPacket(
    "\x35\x09\0\x03"
    "a/b\x01\x02xy",
    11);

TEST(PublishHeadTest, IsRead) {
  const auto head = read_publish_head(kPacket);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->qos, 2);
  EXPECT_TRUE(head->retained);
  EXPECT_FALSE(head->duplicate);
  EXPECT_EQ(head->topic, "a/b");
  EXPECT_EQ(head->packet_id, 0x0102);
  EXPECT_EQ(kPacket.substr(head->size), "xy");
}

TEST(PublishHeadTest, TheRemainingLengthMayHaveFourBytes) {
  std::string packet = kPacket;
  packet[0] = '\x3a';
  packet.replace(1, 1, "\x89\x80\x80", 3);
  packet.insert(4, 1, '\0');
  const auto head = read_publish_head(packet);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->qos, 1);
  EXPECT_TRUE(head->duplicate);
  EXPECT_EQ(head->topic, "a/b");
  EXPECT_EQ(packet.substr(head->size), "xy");
}

TEST(PublishHeadTest, WhatIsCutShortOrSomethingElseHasNone) {
  for (std::size_t size = 0; size < 9; ++size) {
    EXPECT_FALSE(read_publish_head(std::string_view(kPacket).substr(0, size))) << size;
  }
  EXPECT_TRUE(read_publish_head(std::string_view(kPacket).substr(0, 9)));
  std::string packet = kPacket;
  packet[0] = '\x30';
  EXPECT_FALSE(read_publish_head(packet)) << "QoS 0";
  packet[0] = '\x42';
  EXPECT_FALSE(read_publish_head(packet)) << "PUBACK";
}

}  // namespace
}  // namespace triggerd::mqtt
