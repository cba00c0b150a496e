#include "mqtt/wire/keep_alive.hpp"

#include <gtest/gtest.h>

namespace triggerd::mqtt::wire {
namespace {

using Action = KeepAlive::Verdict::Action;

Monotonic at(int seconds) {
  return Monotonic(std::chrono::seconds(1'000 + seconds));
}

// Of a connection on which bytes went both ways at at(0).
class KeepAliveTest : public testing::Test {
 protected:
  KeepAliveTest() {
    alive_.set(std::chrono::seconds(60));
    alive_.sent(at(0));
    alive_.received(at(0));
  }
  void expect(int now, Action action, int look_again, bool in_packet = false) {
    const auto verdict = alive_.look(at(now), in_packet);
    EXPECT_EQ(verdict.action, action);
    EXPECT_EQ(verdict.look_again, at(look_again));
  }
  void expect_end(int now, std::string_view why, bool in_packet = false) {
    const auto verdict = alive_.look(at(now), in_packet);
    EXPECT_EQ(verdict.action, Action::end);
    EXPECT_EQ(verdict.why, why);
  }

  KeepAlive alive_;
};

TEST_F(KeepAliveTest, APingIsDueAfterAKeepAliveAndItsAnswerAfterHalfAOne) {
  expect(30, Action::none, 60);
  expect(60, Action::ping, 90);
  expect(89, Action::none, 90);
  expect_end(90, "has not answered a ping");
  EXPECT_EQ(alive_.end_text(at(90), "has not answered a ping"),
            "the server has been silent for 1m30s, and has not answered a ping; keep_alive is 1m");
}

TEST_F(KeepAliveTest, WhateverComesIsAnAnswer) {
  expect(60, Action::ping, 90);
  alive_.sent(at(60));
  alive_.received(at(80));
  expect(90, Action::none, 120);
}

TEST_F(KeepAliveTest, APingIsDueThoughOnlyOneSideIsSilent) {
  alive_.received(at(50));
  expect(60, Action::ping, 90);
}

TEST_F(KeepAliveTest, AndThoughOnlyTheServerIs) {
  alive_.sent(at(50));
  expect(60, Action::ping, 90);
}

TEST_F(KeepAliveTest, ThePingThatHasWaitedLongestCounts) {
  alive_.pinged(at(10));
  alive_.pinged(at(20));
  expect(20, Action::none, 40);
  alive_.received(at(30));
  alive_.pinged(at(35));
  expect(40, Action::none, 65);
}

TEST_F(KeepAliveTest, WhatIsNotReadIsNoSilence) {
  expect(60, Action::ping, 90);
  alive_.not_reading(at(500));
  alive_.sent(at(500));
  expect(501, Action::none, 560);
}

TEST_F(KeepAliveTest, AServerThatTakesOfALargePacketIsThere) {
  expect(60, Action::none, 90, true);
  alive_.sent(at(80));
  expect(160, Action::none, 190, true);
  expect_end(170, "accepts none of the data sent to it", true);
}

TEST_F(KeepAliveTest, ZeroIsWithout) {
  EXPECT_FALSE(alive_.without());
  EXPECT_TRUE(KeepAlive().without());
}

}  // namespace
}  // namespace triggerd::mqtt::wire
