#include "control/members/liveness.hpp"

#include <gtest/gtest.h>

#include "unit/control/fixture.hpp"

namespace triggerd::control::test {
namespace {

class LivenessTest : public testing::Test {
 protected:
  LivenessTest() { liveness_.begin(); }
  void turn(Millis by, bool supervisor, bool timer) {
    for (Millis passed{0}; passed < by; passed += Millis(1'000)) {
      clock_.advance(Millis(1'000));
      if (timer) timer_.run_due();
      if (supervisor) supervisor_.run_due();
    }
  }

  FakeClock clock_;
  EventLoop supervisor_{clock_};
  EventLoop timer_{clock_};
  Registry registry_{shared({})};
  Liveness liveness_{supervisor_, timer_, registry_};
};

TEST_F(LivenessTest, ThreadsThatTurnAreNotHung) {
  turn(Millis(60'000), true, true);
  EXPECT_TRUE(liveness_.reasons().empty());
}

TEST_F(LivenessTest, AThreadThatHasNotBeatenForAWhileIsHung) {
  turn(Millis(15'000), false, true);
  EXPECT_TRUE(liveness_.reasons().empty()) << "it may just be busy";
  turn(Millis(2'000), false, true);
  ASSERT_EQ(liveness_.reasons().size(), 1U);
  EXPECT_EQ(liveness_.reasons()[0], "the supervisor thread hangs: no connection is served");
  turn(Millis(2'000), true, true);
  EXPECT_TRUE(liveness_.reasons().empty()) << "it goes on";
  turn(Millis(17'000), true, false);
  ASSERT_EQ(liveness_.reasons().size(), 1U);
  EXPECT_EQ(liveness_.reasons()[0], "the timer thread hangs: retries and deadlines no longer run");
}

TEST_F(LivenessTest, TheServiceManagerHearsOfItForAsLongAsBothTurn) {
  int alive = 0;
  liveness_.beat(Millis(2'000), [&] { ++alive; });
  turn(Millis(10'000), true, true);
  EXPECT_EQ(alive, 5);
  turn(Millis(10'000), false, true);
  turn(Millis(10'000), true, false);
  EXPECT_LE(alive, 6) << "what was posted already may still come";
}

}  // namespace
}  // namespace triggerd::control::test
