#include <gtest/gtest.h>

#include "mqtt/wire/gate.hpp"
#include "unit/mqtt/wire_support.hpp"

namespace triggerd::mqtt::wire {
namespace {

using test::ack_bytes;
using test::puback;
using namespace std::string_literals;

std::string taken(Gate& gate) {
  std::string out;
  gate.take(out);
  return out;
}

class GateOfKind : public testing::TestWithParam<AckKind> {};
INSTANTIATE_TEST_SUITE_P(Wire, GateOfKind,
                         testing::Values(AckKind::puback, AckKind::pubrec, AckKind::pubcomp));

TEST_P(GateOfKind, LetsOneLeaveOnceItIsWrittenAndReleased) {
  Gate gate;
  const auto ticket = gate.hold({GetParam(), 7});
  EXPECT_EQ(taken(gate), "");
  EXPECT_FALSE(gate.written({GetParam(), 7}, ack_bytes(GetParam(), 7)).has_value());
  EXPECT_EQ(taken(gate), "");
  EXPECT_EQ(gate.size(), 1U);
  gate.release(GetParam(), ticket);
  std::string out = "before";
  EXPECT_EQ(gate.take(out), 1U);
  EXPECT_EQ(out, "before" + ack_bytes(GetParam(), 7));
  EXPECT_EQ(gate.size(), 0U);
  EXPECT_EQ(gate.take(out), 0U);
}

TEST_P(GateOfKind, ReleasedBeforeItIsWrittenWaitsForItsBytes) {
  Gate gate;
  gate.release(GetParam(), gate.hold({GetParam(), 7}));
  EXPECT_EQ(taken(gate), "");
  gate.written({GetParam(), 7}, ack_bytes(GetParam(), 7));
  EXPECT_EQ(taken(gate), ack_bytes(GetParam(), 7));
}

TEST_P(GateOfKind, AReleasedOneBehindAHeldOneWaits) {
  Gate gate;
  std::vector<Gate::Ticket> tickets;
  std::string all;
  for (std::uint16_t id = 1; id <= 4; ++id) {
    tickets.push_back(gate.hold({GetParam(), id}));
    gate.written({GetParam(), id}, ack_bytes(GetParam(), id));
    all += ack_bytes(GetParam(), id);
  }
  for (const std::size_t i : {3U, 1U, 2U}) {
    gate.release(GetParam(), tickets[i]);
    EXPECT_EQ(taken(gate), "");
  }
  gate.release(GetParam(), tickets[0]);
  EXPECT_EQ(taken(gate), all);
}

TEST_P(GateOfKind, AnUnclaimedOneLeavesWhenItsTurnComes) {
  Gate gate;
  EXPECT_FALSE(gate.written({GetParam(), 1}, ack_bytes(GetParam(), 1)).has_value());
  EXPECT_EQ(taken(gate), ack_bytes(GetParam(), 1));

  const auto held = gate.hold({GetParam(), 2});
  gate.written({GetParam(), 2}, ack_bytes(GetParam(), 2));
  gate.written({GetParam(), 3}, ack_bytes(GetParam(), 3));
  EXPECT_EQ(taken(gate), "");
  EXPECT_EQ(gate.size(), 2U);
  gate.release(GetParam(), held);
  EXPECT_EQ(taken(gate), ack_bytes(GetParam(), 2) + ack_bytes(GetParam(), 3));
}

TEST_P(GateOfKind, HoldsAnUnclaimedOneOnRequestAndNamesIt) {
  Gate gate;
  const auto ticket = gate.written({GetParam(), 9}, ack_bytes(GetParam(), 9), true);
  ASSERT_TRUE(ticket.has_value());
  EXPECT_EQ(taken(gate), "");
  gate.release(GetParam(), *ticket);
  EXPECT_EQ(taken(gate), ack_bytes(GetParam(), 9));

  const auto claimed = gate.hold({GetParam(), 9});
  EXPECT_FALSE(gate.written({GetParam(), 9}, ack_bytes(GetParam(), 9), true).has_value());
  gate.release(GetParam(), claimed);
  EXPECT_EQ(taken(gate), ack_bytes(GetParam(), 9));
}

TEST_P(GateOfKind, AnOldOrUnknownTicketDoesNothing) {
  Gate gate;
  const auto old = gate.hold({GetParam(), 1});
  gate.written({GetParam(), 1}, ack_bytes(GetParam(), 1));
  gate.release(GetParam(), old);
  EXPECT_NE(taken(gate), "");

  const auto held = gate.hold({GetParam(), 1});
  EXPECT_NE(held, old);
  gate.written({GetParam(), 1}, ack_bytes(GetParam(), 1));
  gate.release(GetParam(), old);
  gate.release(GetParam(), held + 1);
  EXPECT_EQ(taken(gate), "");
  EXPECT_EQ(gate.size(), 1U);
}

// A server that repeats a message while its first delivery is still being worked on.
TEST_P(GateOfKind, OnePacketIdHeldTwiceLeavesTwice) {
  Gate gate;
  const auto first = gate.hold({GetParam(), 5});
  gate.written({GetParam(), 5}, ack_bytes(GetParam(), 5));
  const auto second = gate.hold({GetParam(), 5});
  gate.written({GetParam(), 5}, ack_bytes(GetParam(), 5));
  gate.release(GetParam(), second);
  EXPECT_EQ(taken(gate), "");
  gate.release(GetParam(), first);
  EXPECT_EQ(taken(gate), ack_bytes(GetParam(), 5) + ack_bytes(GetParam(), 5));
  EXPECT_EQ(gate.size(), 0U);
}

TEST(WireGate, TheKindsDoNotWaitForEachOther) {
  Gate gate;
  gate.hold({AckKind::puback, 1});
  gate.written({AckKind::puback, 1}, puback(1));
  const auto received = gate.hold({AckKind::pubrec, 1});
  gate.written({AckKind::pubrec, 1}, ack_bytes(AckKind::pubrec, 1));
  gate.written({AckKind::pubcomp, 1}, ack_bytes(AckKind::pubcomp, 1));
  EXPECT_EQ(taken(gate), ack_bytes(AckKind::pubcomp, 1));
  gate.release(AckKind::pubrec, received);
  EXPECT_EQ(taken(gate), ack_bytes(AckKind::pubrec, 1));
  EXPECT_EQ(gate.size(), 1U);
}

// ---- Which writes are acknowledgements ----

std::string framed(std::string_view packet) {
  const std::string mask = "\xa1\x02\xf3\x44";
  std::string frame{static_cast<char>(0x82), static_cast<char>(0x80 | packet.size())};
  frame += mask;
  for (std::size_t i = 0; i < packet.size(); ++i) {
    frame += static_cast<char>(packet[i] ^ mask[i % mask.size()]);
  }
  return frame;
}

TEST_P(GateOfKind, IsFoundInAWrite) {
  const std::string plain = ack_bytes(GetParam(), 0xfe01);
  // MQTT 5: a reason code, and properties behind it.
  std::string reason = plain + "\x10";
  reason[1] = 3;
  std::string properties = plain + "\x10\x00"s;
  properties[1] = 4;
  for (const std::string& packet : {plain, reason, properties}) {
    for (const std::string& bytes : {packet, framed(packet)}) {
      const auto ack = parse_ack(bytes);
      ASSERT_TRUE(ack.has_value());
      EXPECT_EQ(ack->kind, GetParam());
      EXPECT_EQ(ack->packet_id, 0xfe01);
    }
  }
}

TEST(WireGate, OtherPacketsAreNotAcknowledgements) {
  const std::string others[] = {
      "\xc0\x00"s,                           // PINGREQ
      "\xe0\x00"s,                           // DISCONNECT
      "\xe0\x02\x04\x00"s,                   // DISCONNECT with a reason
      "\x82\x08\x00\x01\x00\x03x/y\x01"s,    // SUBSCRIBE
      "\xa2\x07\x00\x01\x00\x03x/y"s,        // UNSUBSCRIBE
      "\x62\x02\x00\x01"s,                   // PUBREL
      "\x30\x05\x00\x01tab"s,                // PUBLISH
      "\x32\x07\x00\x01t\x00\x01\x40\x02"s,  // PUBLISH at QoS 1
      "\x42\x02\x00\x01"s,                   // PUBACK with flags that no PUBACK has
  };
  for (const std::string& packet : others) {
    EXPECT_FALSE(parse_ack(packet).has_value()) << testing::PrintToString(packet);
    EXPECT_FALSE(parse_ack(framed(packet)).has_value()) << testing::PrintToString(packet);
  }
}

TEST(WireGate, PartsOfPacketsAndTooLongOnesAreNotAcknowledgements) {
  const std::string whole = puback(1);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(parse_ack(whole.substr(0, size)).has_value());
  }
  const std::string frame = framed(whole);
  for (std::size_t size = 0; size < frame.size(); ++size) {
    EXPECT_FALSE(parse_ack(frame.substr(0, size)).has_value());
  }
  EXPECT_FALSE(parse_ack(whole + whole).has_value());
  EXPECT_FALSE(parse_ack(whole + "x").has_value());
  EXPECT_FALSE(parse_ack(frame + "x").has_value());
  // Unmasked: no client sends it.
  EXPECT_FALSE(parse_ack("\x82\x04" + whole).has_value());

  std::string longest = whole + std::string(127 - whole.size(), 'r');
  longest[1] = static_cast<char>(longest.size() - 2);
  EXPECT_TRUE(parse_ack(longest).has_value());
  std::string longer = longest + "r";
  longer[1] = static_cast<char>(longer.size() - 2);
  EXPECT_FALSE(parse_ack(longer).has_value());
}

}  // namespace
}  // namespace triggerd::mqtt::wire
