#include "mqtt/session/losses.hpp"

#include <gtest/gtest.h>

namespace triggerd::mqtt {
namespace {

constexpr Monotonic kThen{std::chrono::seconds(100)};

class LossesTest : public testing::Test {
 protected:
  void connect(int count) {
    for (int i = 0; i < count; ++i) losses_.connected("server");
  }
  Losses losses_;
};

TEST_F(LossesTest, MostConnectionsAtOnceIsTheServers) {
  connect(3);
  const auto burst = losses_.lost("server", "a", kThen);
  EXPECT_TRUE(burst->of_one()) << "as far as is known";
  EXPECT_EQ(losses_.lost("server", "b", kThen + Millis(500)), burst);
  EXPECT_TRUE(burst->of_the_server());
  EXPECT_FALSE(burst->of_one());
}

TEST_F(LossesTest, HalfOfThemIsNotMost) {
  connect(4);
  const auto burst = losses_.lost("server", "a", kThen);
  (void)losses_.lost("server", "b", kThen);
  EXPECT_FALSE(burst->of_the_server());
}

TEST_F(LossesTest, OneThatIsLostTwiceIsStillOne) {
  connect(2);
  const auto burst = losses_.lost("server", "a", kThen);
  losses_.connected("server");
  EXPECT_EQ(losses_.lost("server", "a", kThen + Millis(100)), burst);
  EXPECT_TRUE(burst->of_one());
}

TEST_F(LossesTest, WhatIsLostLaterIsAnotherMatter) {
  connect(3);
  const auto burst = losses_.lost("server", "a", kThen);
  const auto later = losses_.lost("server", "b", kThen + Millis(501));
  EXPECT_NE(later, burst);
  EXPECT_EQ(later->connected, 2U);
}

TEST_F(LossesTest, AnOnlyConnectionTellsNothing) {
  connect(1);
  const auto burst = losses_.lost("server", "a", kThen);
  EXPECT_FALSE(burst->of_one());
  EXPECT_FALSE(burst->of_the_server());
}

TEST_F(LossesTest, ThoseToAnotherServerDoNotCount) {
  connect(1);
  losses_.connected("other");
  EXPECT_FALSE(losses_.lost("server", "a", kThen)->of_one());
}

}  // namespace
}  // namespace triggerd::mqtt
