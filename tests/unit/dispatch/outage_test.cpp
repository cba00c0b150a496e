#include "dispatch/outage.hpp"

#include <gtest/gtest.h>

#include "support/fake_clock.hpp"

namespace triggerd::dispatch {
namespace {

class OutageTest : public testing::Test {
 protected:
  // How long it is to last; -1: nothing is reported.
  Millis::rep begin(bool tested = false, Millis retry_after = Millis(0), bool draining = false) {
    const auto told = outage_.begin(tested, "away", retry_after, draining);
    return told ? told->next.count() : -1;
  }
  // A message is tried, and comes to TRIGGER_UNAVAILABLE again.
  Millis::rep fail_test() {
    (void)outage_.test_now();
    EXPECT_TRUE(outage_.begin_attempt());
    return begin(true);
  }

  triggerd::test::FakeClock clock_;
  Random random_ = [] { return 1.0; };
  Outage outage_{{Millis(1'000), Millis(60'000), 2.0}, clock_, random_};
};

TEST_F(OutageTest, NothingGoesUntilTheBackoffIsOverAndThenOneMessage) {
  EXPECT_TRUE(outage_.over() && outage_.admits());
  EXPECT_FALSE(outage_.begin_attempt()) << "nothing is to be found out";
  EXPECT_EQ(begin(), 1'000);
  EXPECT_FALSE(outage_.admits());
  EXPECT_EQ(outage_.waits_until(), clock_.now() + Millis(1'000));
  EXPECT_EQ(begin(), -1) << "one that was in the service's hands already";
  EXPECT_TRUE(outage_.test_now());
  EXPECT_TRUE(outage_.admits() && outage_.tests_next());
  EXPECT_FALSE(outage_.waits_until().has_value());
  EXPECT_TRUE(outage_.begin_attempt());
  EXPECT_FALSE(outage_.admits()) << "nothing goes beside it";
}

TEST_F(OutageTest, TheBackoffGrowsUpToHalfAMinute) {
  EXPECT_EQ(begin(), 1'000);
  EXPECT_EQ(fail_test(), 2'000);
  EXPECT_EQ(fail_test(), 4'000);
  for (int i = 0; i < 10; ++i) (void)fail_test();
  EXPECT_EQ(fail_test(), 30'000);
}

TEST_F(OutageTest, TheServiceMaySayWhen) {
  EXPECT_EQ(begin(false, Millis(90'000)), 90'000);
}

TEST_F(OutageTest, ItsEndTellsHowLongItWas) {
  (void)begin();
  clock_.advance(Millis(1'000));
  (void)fail_test();
  clock_.advance(Millis(2'000));
  (void)outage_.test_now();
  EXPECT_FALSE(outage_.end().has_value()) << "no message was tried";
  (void)outage_.begin_attempt();
  const auto told = outage_.end();
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->failures, 2U);
  EXPECT_EQ(told->lasted, Millis(3'000));
  EXPECT_TRUE(outage_.over());
}

TEST_F(OutageTest, WhatWasBackForAMomentOnlyBacksOffFurther) {
  (void)begin();
  (void)fail_test();
  (void)outage_.test_now();
  (void)outage_.begin_attempt();
  ASSERT_TRUE(outage_.end());
  clock_.advance(Millis(1'999));
  EXPECT_EQ(begin(), 4'000) << "within the last backoff";
  (void)outage_.test_now();
  (void)outage_.begin_attempt();
  ASSERT_TRUE(outage_.end());
  clock_.advance(Millis(4'000));
  EXPECT_EQ(begin(), 1'000);
}

TEST_F(OutageTest, ATestThatSaysNothingIsMadeAgain) {
  outage_.test_again();
  EXPECT_TRUE(outage_.over());
  (void)begin();
  (void)outage_.test_now();
  (void)outage_.begin_attempt();
  outage_.test_again();
  EXPECT_TRUE(outage_.tests_next());
}

TEST_F(OutageTest, AHintHasAMessageTriedAtOnce) {
  EXPECT_FALSE(outage_.may_be_over());
  (void)begin();
  EXPECT_TRUE(outage_.may_be_over());
  (void)outage_.begin_attempt();
  EXPECT_FALSE(outage_.may_be_over()) << "one is tried already";
  EXPECT_EQ(begin(true), 2'000);
  EXPECT_TRUE(outage_.tests_next()) << "it may have been tried too soon";
  (void)outage_.begin_attempt();
  (void)begin(true);
  EXPECT_FALSE(outage_.tests_next()) << "one hint, one try";
}

TEST_F(OutageTest, WhoDrainsDoesNotWaitForItsEnd) {
  EXPECT_EQ(begin(false, Millis(0), true), 1'000);
  EXPECT_EQ(outage_.waits_until(), Monotonic::max());
}

TEST_F(OutageTest, IsShownWhileItLasts) {
  EXPECT_FALSE(outage_.view());
  (void)begin();
  const Wall since = clock_.wall();
  clock_.advance(Millis(1'000));
  (void)fail_test();
  ASSERT_TRUE(outage_.view());
  EXPECT_EQ(outage_.view()->since, since);
  EXPECT_EQ(outage_.view()->reason, "away");
  outage_.reset();
  EXPECT_FALSE(outage_.view());
  EXPECT_EQ(begin(), 1'000) << "nothing is known of the one before";
}

}  // namespace
}  // namespace triggerd::dispatch
