// Connection with a clean session that unsubscribes before it ends.
#include "unit/mqtt/session/connection_fixture.hpp"

namespace triggerd::mqtt {
namespace {

using State = ConnectionStatus::State;

class LeavingTest : public test::ConnectionTest {
 protected:
  LeavingTest() { options_.clean_session = true; }
  void leave() {
    connection_->leave([this] { ++left_; });
    loop_->run_due();
  }
  void unsubscribed() {
    asked_.events->on_unsubscribed(asked_.attempt(), {}, "");
    loop_->run_due();
  }
  void expect_left_for_good() {
    EXPECT_EQ(left_, 1);
    advance(options_.reconnect.max * 2);
    EXPECT_EQ(asked_.connects.size(), 1U);
  }
  int left_ = 0;
};

TEST_F(LeavingTest, UnsubscribesFromEverythingAndStaysConnected) {
  up();
  leave();
  ASSERT_EQ(asked_.unsubscribes.size(), 1U);
  EXPECT_EQ(asked_.unsubscribes[0], (std::vector<std::string>{"a/#", "b"}));
  EXPECT_EQ(left_, 0);
  unsubscribed();
  EXPECT_EQ(left_, 1);
  EXPECT_TRUE(asked_.disconnects.empty());
  EXPECT_EQ(listener_.status().state, State::up);
  EXPECT_TRUE(sessions_.kept.empty());
  leave();
  EXPECT_EQ(left_, 2) << "it has left already";
  EXPECT_EQ(asked_.unsubscribes.size(), 1U);
}

TEST_F(LeavingTest, ManyFiltersGoInSeveralPackets) {
  options_.topics.clear();
  for (int i = 0; i < 250; ++i) options_.topics.push_back({fmt::format("t/{}", i), 1});
  open();
  connected();
  for (int i = 0; i < 3; ++i) subscribed(std::vector<int>(asked_.subscribes.back().size(), 1));
  leave();
  std::size_t filters = 0;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(left_, 0);
    filters += asked_.unsubscribes.back().size();
    unsubscribed();
  }
  EXPECT_EQ(filters, 250U);
  EXPECT_EQ(left_, 1);
}

TEST_F(LeavingTest, WhileItSubscribesItWaitsForTheAnswer) {
  open();
  connected();
  leave();
  EXPECT_TRUE(asked_.unsubscribes.empty());
  subscribed({1, 2});
  EXPECT_EQ(asked_.unsubscribes.size(), 1U);
  unsubscribed();
  EXPECT_EQ(left_, 1);
}

TEST_F(LeavingTest, ALostConnectionIsNotMadeAgain) {
  up();
  leave();
  lost();
  expect_left_for_good();
  EXPECT_EQ(listener_.status().state, State::off);
}

TEST_F(LeavingTest, WhereThereIsNoneItIsNotMade) {
  open();
  leave();
  EXPECT_EQ(left_, 0) << "the library is at it";
  connect_failed();
  expect_left_for_good();
}

TEST_F(LeavingTest, AServerThatDoesNotAnswerIsLeftAllTheSame) {
  up();
  leave();
  advance(Millis(30'000));
  disconnected();
  expect_left_for_good();
}

TEST_F(LeavingTest, PausedAndResumedItIsSubscribedAgain) {
  up();
  leave();
  unsubscribed();
  connection_->pause("disabled");
  loop_->run_due();
  disconnected();
  connection_->resume();
  loop_->run_due();
  connected();
  EXPECT_EQ(asked_.subscribes.size(), 2U);
}

}  // namespace
}  // namespace triggerd::mqtt
