#include "mqtt/wire/sent_publishes.hpp"

#include <gtest/gtest.h>

#include "support/mqtt_packet.hpp"

namespace triggerd::mqtt::wire {
namespace {

namespace packet = triggerd::test::packet;

std::string publish(std::uint8_t qos, std::uint16_t packet_id) {
  return packet::encode(
      packet::Publish{.topic = "t", .payload = "p", .qos = qos, .packet_id = packet_id});
}

TEST(SentPublishes, AnIdIsThatOfTheMessageThatUsedItLast) {
  SentPublishes published;
  EXPECT_FALSE(published.was_exactly_once(7));
  published.note(publish(2, 7));
  published.note(publish(1, 8));
  EXPECT_TRUE(published.was_exactly_once(7));
  EXPECT_FALSE(published.was_exactly_once(8));
  published.note(publish(1, 7));
  EXPECT_FALSE(published.was_exactly_once(7));
}

TEST(SentPublishes, WhatIsNoPublishIsPassedOver) {
  SentPublishes published;
  published.note("\x82");
  published.note("");
  EXPECT_FALSE(published.was_exactly_once(0));
}

}  // namespace
}  // namespace triggerd::mqtt::wire
