#include "mqtt/wire/gate.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "unit/mqtt/wire/support.hpp"

namespace triggerd::mqtt::wire {
namespace {

using test::ack_bytes;
using test::puback;

std::string taken(Gate& gate) {
  std::string out;
  gate.take(out);
  return out;
}

class GateOfKind : public testing::TestWithParam<AckKind> {};
INSTANTIATE_TEST_SUITE_P(Wire, GateOfKind,
                         testing::Values(AckKind::puback, AckKind::pubrec, AckKind::pubcomp));

TEST_P(GateOfKind, LetsOneLeaveOnceItIsReleased) {
  Gate gate;
  const auto ticket = gate.hold({GetParam(), 0xfe07});
  EXPECT_EQ(taken(gate), "");
  EXPECT_EQ(gate.size(), 1U);
  gate.release(GetParam(), ticket);
  EXPECT_EQ(gate.size(), 1U) << "it has not left";
  std::string out = "before";
  EXPECT_EQ(gate.take(out), 1U);
  EXPECT_EQ(out, "before" + ack_bytes(GetParam(), 0xfe07));
  EXPECT_EQ(gate.size(), 0U);
  EXPECT_EQ(gate.take(out), 0U);
}

TEST_P(GateOfKind, AReleasedOneBehindAHeldOneWaits) {
  Gate gate;
  std::vector<Gate::Ticket> tickets;
  std::string all;
  for (std::uint16_t id = 1; id <= 4; ++id) {
    tickets.push_back(gate.hold({GetParam(), id}));
    all += ack_bytes(GetParam(), id);
  }
  for (const std::size_t i : {3U, 1U, 2U}) {
    gate.release(GetParam(), tickets[i]);
    EXPECT_EQ(taken(gate), "");
  }
  gate.release(GetParam(), tickets[0]);
  EXPECT_EQ(taken(gate), all);
}

TEST_P(GateOfKind, OneThatNobodyHoldsLeavesWithItsTurn) {
  Gate gate;
  gate.hold({GetParam(), 1}, true);
  EXPECT_EQ(taken(gate), ack_bytes(GetParam(), 1));
  const auto held = gate.hold({GetParam(), 2});
  gate.hold({GetParam(), 3}, true);
  EXPECT_EQ(taken(gate), "");
  EXPECT_EQ(gate.size(), 2U);
  gate.release(GetParam(), held);
  EXPECT_EQ(taken(gate), ack_bytes(GetParam(), 2) + ack_bytes(GetParam(), 3));
}

TEST_P(GateOfKind, AnOldOrUnknownTicketDoesNothing) {
  Gate gate;
  const auto old = gate.hold({GetParam(), 1});
  gate.release(GetParam(), old);
  EXPECT_NE(taken(gate), "");
  const auto held = gate.hold({GetParam(), 1});
  EXPECT_NE(held, old);
  gate.release(GetParam(), old);
  gate.release(GetParam(), held + 1);
  EXPECT_EQ(taken(gate), "");
  EXPECT_EQ(gate.size(), 1U);
}

TEST_P(GateOfKind, ReleasedTwiceLeavesOnce) {
  Gate gate;
  const auto ticket = gate.hold({GetParam(), 1});
  gate.hold({GetParam(), 2});
  gate.release(GetParam(), ticket);
  gate.release(GetParam(), ticket);
  EXPECT_EQ(taken(gate), ack_bytes(GetParam(), 1));
  gate.release(GetParam(), ticket);
  EXPECT_EQ(taken(gate), "");
}

// A server that repeats a message while its first delivery is still being worked on.
TEST_P(GateOfKind, OnePacketIdHeldTwiceLeavesTwice) {
  Gate gate;
  const auto first = gate.hold({GetParam(), 5});
  const auto second = gate.hold({GetParam(), 5});
  gate.release(GetParam(), second);
  EXPECT_EQ(taken(gate), "");
  gate.release(GetParam(), first);
  EXPECT_EQ(taken(gate), ack_bytes(GetParam(), 5) + ack_bytes(GetParam(), 5));
  EXPECT_EQ(gate.size(), 0U);
}

TEST(WireGate, TheKindsDoNotWaitForEachOther) {
  Gate gate;
  gate.hold({AckKind::puback, 1});
  const auto received = gate.hold({AckKind::pubrec, 1});
  gate.hold({AckKind::pubcomp, 1}, true);
  EXPECT_EQ(taken(gate), ack_bytes(AckKind::pubcomp, 1));
  gate.release(AckKind::pubrec, received);
  EXPECT_EQ(taken(gate), ack_bytes(AckKind::pubrec, 1));
  EXPECT_EQ(gate.size(), 1U);
}

// ---- What is unconfirmed ----

TEST(WireGate, AMessageOfQos1IsUnconfirmedUntilItsPubackLeaves) {
  Gate gate;
  EXPECT_EQ(gate.unconfirmed(), 0U);
  const auto first = gate.hold({AckKind::puback, 1});
  gate.hold({AckKind::puback, 2});
  EXPECT_EQ(gate.unconfirmed(), 2U);
  gate.release(AckKind::puback, first);
  EXPECT_EQ(gate.unconfirmed(), 2U);
  (void)taken(gate);
  EXPECT_EQ(gate.unconfirmed(), 1U);
}

TEST(WireGate, AMessageOfQos2IsUnconfirmedUntilItsPubcompLeaves) {
  Gate gate;
  gate.begin_exactly_once(65'535);
  gate.hold({AckKind::pubrec, 65'535}, true);
  EXPECT_EQ(gate.unconfirmed(), 1U);
  (void)taken(gate);
  EXPECT_EQ(gate.unconfirmed(), 1U) << "PUBREC does not confirm it";
  const auto ticket = gate.hold({AckKind::pubcomp, 65'535});
  EXPECT_EQ(gate.unconfirmed(), 1U);
  gate.release(AckKind::pubcomp, ticket);
  (void)taken(gate);
  EXPECT_EQ(gate.unconfirmed(), 0U);
}

TEST(WireGate, AMessageOfQos2ThatIsRepeatedIsOne) {
  Gate gate;
  gate.begin_exactly_once(9);
  gate.begin_exactly_once(9);
  EXPECT_EQ(gate.unconfirmed(), 1U);
  gate.hold({AckKind::pubcomp, 9}, true);
  gate.hold({AckKind::pubcomp, 9}, true);   // a PUBREL that is repeated
  gate.hold({AckKind::pubcomp, 10}, true);  // of a message that came on another connection
  (void)taken(gate);
  EXPECT_EQ(gate.unconfirmed(), 0U);
}

}  // namespace
}  // namespace triggerd::mqtt::wire
