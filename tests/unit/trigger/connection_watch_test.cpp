#include "trigger/connection_watch.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/fake_clock.hpp"

namespace triggerd::trigger {
namespace {

using State = mqtt::ConnectionStatus::State;

class ConnectionWatchTest : public testing::Test {
 protected:
  void note(State state, const std::string& reason = {}) {
    mqtt::ConnectionStatus status;
    status.state = state;
    status.reason = reason;
    watch_.note(status);
  }
  management::ConnectionView view() const { return watch_.view({}); }

  test::FakeClock clock_;
  ConnectionWatch watch_{clock_};
};

TEST_F(ConnectionWatchTest, SaysSinceWhenItIsUp) {
  note(State::connecting);
  clock_.advance(Millis(5'000));
  const Wall up = clock_.wall();
  note(State::up);
  clock_.advance(Millis(5'000));
  note(State::up);
  EXPECT_EQ(view().state, mqtt::to_string(State::up));
  EXPECT_EQ(view().since, up);
}

TEST_F(ConnectionWatchTest, AttemptsThatFailOneAfterAnotherAreOneTimeWithoutAConnection) {
  note(State::up);
  clock_.advance(Millis(1'000));
  const Wall lost = clock_.wall();
  note(State::waiting, "refused");
  for (int i = 0; i < 3; ++i) {
    clock_.advance(Millis(10'000));
    note(State::connecting);
    note(State::waiting, "no route");
  }
  EXPECT_EQ(view().since, lost);
  EXPECT_EQ(view().reason, "no route");
}

TEST_F(ConnectionWatchTest, OneThatIsSwitchedOffIsInAStateOfItsOwn) {
  note(State::waiting);
  clock_.advance(Millis(1'000));
  note(State::off);
  EXPECT_EQ(view().since, clock_.wall());
}

TEST_F(ConnectionWatchTest, CountsTheConnectionsAfterTheFirst) {
  EXPECT_EQ(view().reconnects, 0u);
  for (int i = 0; i < 3; ++i) {
    note(State::waiting);
    EXPECT_EQ(view().reconnects, static_cast<std::uint64_t>(std::max(i - 1, 0)));
    note(State::up);
    note(State::up);
  }
  EXPECT_EQ(view().reconnects, 2u);
}

}  // namespace
}  // namespace triggerd::trigger
