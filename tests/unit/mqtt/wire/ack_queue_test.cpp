#include "mqtt/wire/ack_queue.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "unit/mqtt/wire/support.hpp"

namespace triggerd::mqtt::wire {
namespace {

using test::ack_bytes;
using test::puback;

std::string taken(AckQueue& acks) {
  std::string out;
  acks.take(out);
  return out;
}

class AckQueueOfKind : public testing::TestWithParam<AckKind> {};
INSTANTIATE_TEST_SUITE_P(Wire, AckQueueOfKind,
                         testing::Values(AckKind::puback, AckKind::pubrec, AckKind::pubcomp));

TEST_P(AckQueueOfKind, LetsOneLeaveOnceItIsReleased) {
  AckQueue acks;
  const auto ticket = acks.hold({GetParam(), 0xfe07});
  EXPECT_EQ(taken(acks), "");
  EXPECT_EQ(acks.size(), 1U);
  acks.release(GetParam(), ticket);
  EXPECT_EQ(acks.size(), 1U) << "it has not left";
  std::string out = "before";
  EXPECT_EQ(acks.take(out), 1U);
  EXPECT_EQ(out, "before" + ack_bytes(GetParam(), 0xfe07));
  EXPECT_EQ(acks.size(), 0U);
  EXPECT_EQ(acks.take(out), 0U);
}

TEST_P(AckQueueOfKind, AReleasedOneBehindAHeldOneWaits) {
  AckQueue acks;
  std::vector<AckQueue::Ticket> tickets;
  std::string all;
  for (std::uint16_t id = 1; id <= 4; ++id) {
    tickets.push_back(acks.hold({GetParam(), id}));
    all += ack_bytes(GetParam(), id);
  }
  for (const std::size_t i : {3U, 1U, 2U}) {
    acks.release(GetParam(), tickets[i]);
    EXPECT_EQ(taken(acks), "");
  }
  acks.release(GetParam(), tickets[0]);
  EXPECT_EQ(taken(acks), all);
}

TEST_P(AckQueueOfKind, OneThatNobodyHoldsLeavesWithItsTurn) {
  AckQueue acks;
  acks.hold({GetParam(), 1}, true);
  EXPECT_EQ(taken(acks), ack_bytes(GetParam(), 1));
  const auto held = acks.hold({GetParam(), 2});
  acks.hold({GetParam(), 3}, true);
  EXPECT_EQ(taken(acks), "");
  EXPECT_EQ(acks.size(), 2U);
  acks.release(GetParam(), held);
  EXPECT_EQ(taken(acks), ack_bytes(GetParam(), 2) + ack_bytes(GetParam(), 3));
}

TEST_P(AckQueueOfKind, AnOldOrUnknownTicketDoesNothing) {
  AckQueue acks;
  const auto old = acks.hold({GetParam(), 1});
  acks.release(GetParam(), old);
  EXPECT_NE(taken(acks), "");
  const auto held = acks.hold({GetParam(), 1});
  EXPECT_NE(held, old);
  acks.release(GetParam(), old);
  acks.release(GetParam(), held + 1);
  EXPECT_EQ(taken(acks), "");
  EXPECT_EQ(acks.size(), 1U);
}

TEST_P(AckQueueOfKind, ReleasedTwiceLeavesOnce) {
  AckQueue acks;
  const auto ticket = acks.hold({GetParam(), 1});
  acks.hold({GetParam(), 2});
  acks.release(GetParam(), ticket);
  acks.release(GetParam(), ticket);
  EXPECT_EQ(taken(acks), ack_bytes(GetParam(), 1));
  acks.release(GetParam(), ticket);
  EXPECT_EQ(taken(acks), "");
}

// A server that repeats a message while its first delivery is still being worked on.
TEST_P(AckQueueOfKind, OnePacketIdHeldTwiceLeavesTwice) {
  AckQueue acks;
  const auto first = acks.hold({GetParam(), 5});
  const auto second = acks.hold({GetParam(), 5});
  acks.release(GetParam(), second);
  EXPECT_EQ(taken(acks), "");
  acks.release(GetParam(), first);
  EXPECT_EQ(taken(acks), ack_bytes(GetParam(), 5) + ack_bytes(GetParam(), 5));
  EXPECT_EQ(acks.size(), 0U);
}

TEST(WireGate, TheKindsDoNotWaitForEachOther) {
  AckQueue acks;
  acks.hold({AckKind::puback, 1});
  const auto received = acks.hold({AckKind::pubrec, 1});
  acks.hold({AckKind::pubcomp, 1}, true);
  EXPECT_EQ(taken(acks), ack_bytes(AckKind::pubcomp, 1));
  acks.release(AckKind::pubrec, received);
  EXPECT_EQ(taken(acks), ack_bytes(AckKind::pubrec, 1));
  EXPECT_EQ(acks.size(), 1U);
}

// ---- What is unconfirmed ----

TEST(WireGate, AMessageOfQos1IsUnconfirmedUntilItsPubackLeaves) {
  AckQueue acks;
  EXPECT_EQ(acks.unconfirmed(), 0U);
  const auto first = acks.hold({AckKind::puback, 1});
  acks.hold({AckKind::puback, 2});
  EXPECT_EQ(acks.unconfirmed(), 2U);
  acks.release(AckKind::puback, first);
  EXPECT_EQ(acks.unconfirmed(), 2U);
  (void)taken(acks);
  EXPECT_EQ(acks.unconfirmed(), 1U);
}

TEST(WireGate, AMessageOfQos2IsUnconfirmedUntilItsPubcompLeaves) {
  AckQueue acks;
  acks.begin_exactly_once(65'535);
  acks.hold({AckKind::pubrec, 65'535}, true);
  EXPECT_EQ(acks.unconfirmed(), 1U);
  (void)taken(acks);
  EXPECT_EQ(acks.unconfirmed(), 1U) << "PUBREC does not confirm it";
  const auto ticket = acks.hold({AckKind::pubcomp, 65'535});
  EXPECT_EQ(acks.unconfirmed(), 1U);
  acks.release(AckKind::pubcomp, ticket);
  (void)taken(acks);
  EXPECT_EQ(acks.unconfirmed(), 0U);
}

TEST(WireGate, AMessageOfQos2ThatIsRepeatedIsOne) {
  AckQueue acks;
  acks.begin_exactly_once(9);
  acks.begin_exactly_once(9);
  EXPECT_EQ(acks.unconfirmed(), 1U);
  acks.hold({AckKind::pubcomp, 9}, true);
  acks.hold({AckKind::pubcomp, 9}, true);   // a PUBREL that is repeated
  acks.hold({AckKind::pubcomp, 10}, true);  // of a message that came on another connection
  (void)taken(acks);
  EXPECT_EQ(acks.unconfirmed(), 0U);
}

}  // namespace
}  // namespace triggerd::mqtt::wire
