#include "base/task_guard.hpp"

#include <gtest/gtest.h>

#include "support/fake_clock.hpp"

namespace triggerd {
namespace {

TEST(TaskGuardTest, NoTaskBeginsAfterTheEndEvenWhereTheGuardIsGone) {
  test::FakeClock clock;
  EventLoop loop(clock);
  int ran = 0;
  {
    TaskGuard tasks;
    loop.post(tasks([&ran] { ++ran; }));
    loop.run_due();
    EXPECT_EQ(ran, 1);
    loop.post(tasks([&ran] { ++ran; }));
    tasks.end();
  }
  loop.run_due();
  EXPECT_EQ(ran, 1);
}

}  // namespace
}  // namespace triggerd
