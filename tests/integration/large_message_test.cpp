// Messages over max_packet_size, of any size, over both versions of MQTT: they pass by, and cost
// themselves alone.
#include <gtest/gtest.h>

#include <charconv>
#include <fstream>

#include "integration/acknowledge_fixture.hpp"
#include "unit/admin/http_client.hpp"

namespace triggerd::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMiB = 1 << 20;

class LargeMessageTest : public BothVersions {
 protected:
  bool refused(std::size_t bytes, std::size_t from = 0) {
    return triggerd_
        ->wait_for_event(
            "message.refused",
            {fmt::format("\"x\" has {} bytes, over max_packet_size", bytes), "trigger=t"}, from)
        .has_value();
  }
  // The most memory that the runtime has had at one time, in KiB.
  std::size_t most_memory() {
    std::ifstream status(fmt::format("/proc/{}/status", triggerd_->process().pid()));
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6));
    }
    ADD_FAILURE() << "no VmHWM";
    return 0;
  }
  // On the connection that it was sent on, and handled.
  void expect_next_is_handled(std::uint16_t id) {
    const std::size_t before = records(file(), "end").size();
    forget_answers();
    send(publish(id, 1, "next"));
    ASSERT_TRUE(answered<packet::PubAck>(id));
    ASSERT_TRUE(wait_for_records(file(), before + 1));
    EXPECT_EQ(records(file()).back().hash, fnv1a("next"));
    EXPECT_EQ(broker_.connections().at(connection_).ended, ConnectionRecord::Ended::no);
  }
};
INSTANTIATE_TEST_SUITE_P(, LargeMessageTest, BothVersions::versions(), BothVersions::version_name);

TEST_P(LargeMessageTest, OneOf17MiBIsRefusedAndTheNextOnesAreHandled) {
  start("");
  const std::string payload(17 * kMiB, 'x');
  for (const std::uint8_t qos : {0, 1, 2}) {
    const std::size_t from = triggerd_->process().line_count();
    send(publish(qos, qos, payload));
    EXPECT_TRUE(refused(payload.size() + 1, from)) << "QoS " << int{qos};
    if (qos == 1) {
      EXPECT_TRUE(answered<packet::PubAck>(1));
    }
    if (qos == 2) {
      EXPECT_TRUE(answered<packet::PubRec>(2));
      send(packet::PubRel{2});
      EXPECT_TRUE(answered<packet::PubComp>(2));
    }
    expect_next_is_handled(7);
  }
  EXPECT_EQ(records(file()).size(), 3U) << "the small ones";
  const auto port = triggerd_->admin_port();
  ASSERT_TRUE(port);
  const std::string metrics = HttpClient(*port).ask("GET", "/metrics").body;
  EXPECT_NE(metrics.find("triggerd_messages_refused_total{trigger=\"t\"} 3\n"), std::string::npos)
      << metrics;
  EXPECT_EQ(rows(*triggerd_, "awaiting_pubrel"), 0);
}

TEST_P(LargeMessageTest, WhatIsAsLargeAsItMayBeIsHandledAndOneByteMoreIsNot) {
  alias_keys_ += "max_packet_size = \"16KiB\"\n";
  start("");
  constexpr std::size_t kMost = 16'384;
  // Those over it are read whole, or pass by where they are so large that they cannot be meant.
  for (const std::size_t size : {kMost - 1, kMost, kMost + 1, kMost + 65'536, kMost + 131'072 - 8,
                                 kMost + 131'072, kMost + 131'080, 4 * kMost + 131'072}) {
    const std::size_t from = triggerd_->process().line_count();
    const std::size_t before = records(file(), "end").size();
    forget_answers();
    // In one piece with what comes next.
    broker_.send(connection_, Reply().send(packet::encode(publish(1, 1, std::string(size - 1, 'x')),
                                                          GetParam()) +
                                           packet::encode(publish(2, 1, "next"), GetParam())));
    ASSERT_TRUE(answered<packet::PubAck>(2)) << size;
    EXPECT_EQ(acknowledged<packet::PubAck>().size() % 2, 0U) << size;
    if (size <= kMost) {
      ASSERT_TRUE(wait_for_records(file(), before + 2)) << size;
    } else {
      EXPECT_TRUE(refused(size, from)) << size;
      ASSERT_TRUE(wait_for_records(file(), before + 1)) << size;
      EXPECT_EQ(records(file()).size(), before + 1) << size;
    }
    EXPECT_EQ(records(file()).back().hash, fnv1a("next")) << size;
  }
}

// One that announces what MQTT can announce, of which much comes, and then the connection ends; and
// one that comes whole.
TEST_P(LargeMessageTest, WhatPassesByCostsNoMemory) {
  start("");
  send(publish(1, 1, std::string(kMiB - 1, 'x')));  // what may come has cost its memory by then
  ASSERT_TRUE(wait_for_records(file(), 1));
  const std::size_t before = most_memory();
  const std::string block(kMiB, 'x');
  const auto stream = [&](std::uint32_t announced, std::size_t blocks) {
    // Topic "x", packet id 9, and without properties at MQTT 5.
    const std::string head = packet::encode_header(packet::Type::publish, 2, announced) +
                             std::string("\0\1x\0\x9", 5) + (v5() ? std::string(1, '\0') : "");
    Reply reply;
    reply.send(head);
    for (std::size_t i = 0; i < blocks; ++i) reply.send(block);
    return reply;
  };
  const std::size_t connection = connection_;
  broker_.on(packet::Type::connect, connack(true));
  broker_.send(connection, stream(268'435'455, 64).close());
  ASSERT_TRUE(broker_.wait_for_end(connection));
  wait_for_subscription();
  const std::uint32_t head = v5() ? 6 : 5;
  broker_.send(connection_, stream(static_cast<std::uint32_t>(48 * kMiB + head), 48));
  ASSERT_TRUE(answered<packet::PubAck>(9));
  EXPECT_TRUE(refused(48 * kMiB + 1));
  expect_next_is_handled(10);
  EXPECT_LT(most_memory(), before + 8 * 1024) << "KiB";
}

TEST_P(LargeMessageTest, TheEndOfAConnectionWithinOneIsNoMessage) {
  start("");
  broker_.on(packet::Type::connect, connack(true));
  for (const std::size_t bytes : {std::size_t{5}, 100 * std::size_t{1024}}) {
    const std::size_t connection = connection_;
    broker_.send(connection, Reply()
                                 .send(packet::encode_header(packet::Type::publish, 2, 20'000'000) +
                                       std::string("\0\1x\0\x9", 5) + std::string(bytes, '\0'))
                                 .close());
    ASSERT_TRUE(broker_.wait_for_end(connection));
    wait_for_subscription();
  }
  expect_next_is_handled(1);
  EXPECT_EQ(records(file()).size(), 1U);
}

class LargeMessageMqtt5Test : public LargeMessageTest {};
INSTANTIATE_TEST_SUITE_P(, LargeMessageMqtt5Test, testing::Values(packet::k5),
                         BothVersions::version_name);

// The topic alias that it gives holds for the next ones, and one that was given before for it.
TEST_P(LargeMessageMqtt5Test, ItsTopicAliasHolds) {
  start("");
  packet::Publish large = publish(1, 1, std::string(17 * kMiB, 'x'));
  large.properties = packet::u16_property(0x23, 3);
  packet::Publish small = publish(2, 1, "small");
  small.topic.clear();
  small.properties = large.properties;
  send(large);
  send(small);
  ASSERT_TRUE(answered<packet::PubAck>(2));
  EXPECT_TRUE(refused(large.payload.size() + 1));
  ASSERT_TRUE(wait_for_records(file(), 1));
  EXPECT_EQ(records(file())[0].topic, "x");
  EXPECT_EQ(records(file())[0].hash, fnv1a("small"));

  const std::size_t from = triggerd_->process().line_count();
  large.topic.clear();
  large.packet_id = 3;
  send(large);
  ASSERT_TRUE(answered<packet::PubAck>(3));
  EXPECT_TRUE(refused(large.payload.size(), from)) << "its topic is the alias's";
}

}  // namespace
}  // namespace triggerd::test
