#include "mqtt/session/session_history.hpp"

#include <gtest/gtest.h>

#include "support/fake_clock.hpp"

namespace triggerd::mqtt {
namespace {

class SessionHistoryTest : public testing::Test {
 protected:
  static constexpr const char* kServer = "tcp://one:1883";

  bool session(SessionHistory& history, Millis lasts, bool explained = false) {
    history.began(kServer, clock_.now());
    clock_.advance(lasts);
    history.lost(clock_.now());
    return history.count_short(explained, clock_.now());
  }

  triggerd::test::FakeClock clock_;
  const std::shared_ptr<Losses> losses_ = std::make_shared<Losses>();
  SessionHistory history_{"edge", false, losses_};
};

TEST_F(SessionHistoryTest, ThreeShortSessionsWhileOthersStayAreASign) {
  losses_->connected(kServer);
  EXPECT_TRUE(session(history_, Millis(29'999)));
  EXPECT_TRUE(session(history_, Millis(0)));
  EXPECT_FALSE(history_.seems_taken());
  EXPECT_TRUE(session(history_, Millis(100)));
  EXPECT_TRUE(history_.seems_taken());
  EXPECT_EQ(history_.short_sessions(), 3U);
}

TEST_F(SessionHistoryTest, WhereNobodyElseIsConnectedItTakesSix) {
  for (int i = 0; i < 5; ++i) session(history_, Millis(100));
  EXPECT_FALSE(history_.seems_taken());
  session(history_, Millis(100));
  EXPECT_TRUE(history_.seems_taken());
}

TEST_F(SessionHistoryTest, ASessionThatLastedBreaksTheRow) {
  losses_->connected(kServer);
  session(history_, Millis(100));
  session(history_, Millis(100));
  EXPECT_FALSE(session(history_, Millis(30'000)));
  EXPECT_EQ(history_.short_sessions(), 0U);
  session(history_, Millis(100));
  EXPECT_FALSE(history_.seems_taken());
}

TEST_F(SessionHistoryTest, SoDoesAServerThatCannotBeReached) {
  session(history_, Millis(100));
  history_.found_no_server();
  EXPECT_EQ(history_.short_sessions(), 0U);
}

TEST_F(SessionHistoryTest, AnEndThatIsExplainedIsNoSign) {
  losses_->connected(kServer);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(session(history_, Millis(100), true));
  EXPECT_FALSE(history_.seems_taken());
}

TEST_F(SessionHistoryTest, NeitherIsOneThatAllConnectionsShare) {
  losses_->connected(kServer);
  session(history_, Millis(100));
  (void)losses_->lost(kServer, "other", clock_.now() + Millis(100));
  EXPECT_TRUE(history_.was_loss_of_all());
  EXPECT_EQ(history_.short_sessions(), 0U);
  EXPECT_FALSE(history_.was_loss_of_all()) << "that is over";
}

TEST_F(SessionHistoryTest, ALossOfItsOwnStaysInTheRow) {
  losses_->connected(kServer);
  session(history_, Millis(100));
  EXPECT_FALSE(history_.was_loss_of_all());
  EXPECT_EQ(history_.short_sessions(), 1U);
}

TEST_F(SessionHistoryTest, WhatWeEndIsNoLoss) {
  history_.began(kServer, clock_.now());
  history_.ended_by_us();
  EXPECT_FALSE(history_.was_loss_of_all());
  EXPECT_FALSE(history_.seems_taken());
  EXPECT_EQ(losses_->lost(kServer, "other", clock_.now())->connected, 0U);
}

TEST_F(SessionHistoryTest, AServerThatWouldSaySoIsTakenAtItsWord) {
  losses_->connected(kServer);
  SessionHistory history("edge", true, losses_);
  for (int i = 0; i < 10; ++i) session(history, Millis(100));
  EXPECT_FALSE(history.seems_taken());
}

}  // namespace
}  // namespace triggerd::mqtt
