#include "control/running/control_thread.hpp"

#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "support/eventually.hpp"
#include "support/fake_clock.hpp"

namespace triggerd::control {
namespace {

using Outcome = management::Outcome<int>;

bool is_refused(const Outcome& outcome) {
  return !outcome && outcome.error().kind == management::AdminError::Kind::unavailable;
}

TEST(ControlThreadTest, RefusesBeforeItIsOpenAndOnceTheRuntimeStops) {
  ControlThread control(system_clock());
  control.start();
  EXPECT_TRUE(is_refused(control.run([] { return Outcome(1); })));
  control.open([] {});
  const Outcome done = control.run([] { return Outcome(2); });
  ASSERT_TRUE(done);
  EXPECT_EQ(*done, 2);
  control.begin_stop();
  EXPECT_TRUE(control.stopping());
  EXPECT_TRUE(is_refused(control.run([] { return Outcome(3); })));
  EXPECT_FALSE(control.post([] {}));
  control.join();
}

TEST(ControlThreadTest, ChangesTakeTurnsBehindTheFirst) {
  ControlThread control(system_clock());
  std::vector<int> order;
  control.open([&] { order.push_back(0); });
  control.start();
  EXPECT_TRUE(control.run([&] {
    order.push_back(1);
    return Outcome(1);
  }));
  EXPECT_EQ(order, (std::vector<int>{0, 1}));
  control.begin_stop();
  control.join();
}

TEST(ControlThreadTest, WhatWaitsWhileTheRuntimeStopsIsRefusedAndTheChangeUnderWayIsNot) {
  ControlThread control(system_clock());
  control.start();
  control.open([] {});
  std::promise<void> begun;
  std::promise<void> go;
  auto first = std::async(std::launch::async, [&] {
    return control.run([&] {
      begun.set_value();
      go.get_future().wait();
      return Outcome(1);
    });
  });
  begun.get_future().wait();
  bool ran = false;
  auto second = std::async(std::launch::async, [&] {
    return control.run([&] {
      ran = true;
      return Outcome(2);
    });
  });
  control.begin_stop();
  go.set_value();
  control.join();
  EXPECT_TRUE(first.get());
  EXPECT_TRUE(is_refused(second.get()));
  EXPECT_FALSE(ran);
}

// A test instance of a service has to be ended, whatever else happens.
TEST(ControlThreadTest, ATaskThatWasAcceptedRunsEvenIfTheRuntimeStops) {
  triggerd::test::FakeClock clock;
  ControlThread control(clock);
  bool ran = false;
  EXPECT_TRUE(control.post([&] { ran = true; }));
  control.begin_stop();
  control.join();
  EXPECT_TRUE(ran);
}

TEST(ControlThreadTest, WhatIsDueLaterIsLeftOutOnceTheRuntimeStops) {
  triggerd::test::FakeClock clock;
  ControlThread control(clock);
  int ran = 0;
  control.after(Millis(10), [&] { ++ran; });
  control.after(Millis(20), [&] { ++ran; });
  EXPECT_EQ(control.run_due(), 0U);
  clock.advance(Millis(10));
  control.run_due();
  EXPECT_EQ(ran, 1);
  control.begin_stop();
  clock.advance(Millis(10));
  control.run_due();
  EXPECT_EQ(ran, 1);
}

TEST(ControlThreadTest, WhatIsShownIsBroughtUpToDateAfterEachTaskBeforeItsAnswer) {
  ControlThread control(system_clock());
  int state = 0;
  std::atomic<int> shown{-1};
  control.after_each([&] { shown = state; });
  control.start();
  control.open([] {});
  EXPECT_TRUE(control.run([&] {
    state = 7;
    return Outcome(1);
  }));
  EXPECT_EQ(shown, 7);
  EXPECT_TRUE(control.post([&] { state = 8; }));
  EXPECT_TRUE(triggerd::test::eventually([&] { return shown == 8; }));
  control.begin_stop();
  control.join();
}

}  // namespace
}  // namespace triggerd::control
