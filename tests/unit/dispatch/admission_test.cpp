#include "dispatch/admission.hpp"

#include <gtest/gtest.h>

#include "support/fake_clock.hpp"

namespace triggerd::dispatch {
namespace {

class AdmissionTest : public testing::Test {
 protected:
  bool unavailable(bool tested = false) {
    return admission_.unavailable(tested, "away", Millis(0)).has_value();
  }

  triggerd::test::FakeClock clock_;
  Random random_ = [] { return 1.0; };
  Admission admission_{{Millis(1'000), Millis(60'000), 2.0}, clock_, random_};
};

TEST_F(AdmissionTest, AtFirstEverythingGoes) {
  EXPECT_TRUE(admission_.admits(0));
  EXPECT_TRUE(admission_.admits(100));
  EXPECT_TRUE(admission_.unrestricted());
  EXPECT_FALSE(admission_.begin_attempt());
}

TEST_F(AdmissionTest, HeldNothingGoesUntilItIsResumed) {
  admission_.hold();
  EXPECT_FALSE(admission_.admits(0));
  EXPECT_FALSE(admission_.unrestricted());
  admission_.resume();
  EXPECT_TRUE(admission_.unrestricted());
}

TEST_F(AdmissionTest, AHalfOpenAttemptIsOneMessageAlone) {
  EXPECT_FALSE(admission_.begin_half_open()) << "it is not held";
  admission_.hold();
  EXPECT_TRUE(admission_.begin_half_open());
  EXPECT_FALSE(admission_.begin_half_open()) << "there is one";
  EXPECT_FALSE(admission_.admits(1)) << "the service has another message";
  EXPECT_TRUE(admission_.admits(0));
  EXPECT_FALSE(admission_.half_open());
  EXPECT_FALSE(admission_.end_half_open()) << "it has not begun";
  (void)admission_.begin_attempt();
  EXPECT_TRUE(admission_.half_open());
  EXPECT_FALSE(admission_.admits(0));
  EXPECT_TRUE(admission_.end_half_open());
  EXPECT_FALSE(admission_.end_half_open());
  EXPECT_TRUE(admission_.begin_half_open()) << "and another one";
}

TEST_F(AdmissionTest, AMessageThatSuspendsItEndsAHalfOpenAttempt) {
  admission_.hold();
  ASSERT_TRUE(admission_.begin_half_open());
  admission_.hold();
  EXPECT_TRUE(admission_.admits(0)) << "it is held again, and the attempt goes on";
  admission_.suspend();
  EXPECT_FALSE(admission_.admits(0));
  EXPECT_TRUE(admission_.held());
}

TEST_F(AdmissionTest, QuiescedNothingGoesWhateverElseAllowsIt) {
  admission_.quiesce();
  EXPECT_FALSE(admission_.admits(0));
  admission_.resume();
  EXPECT_FALSE(admission_.admits(0));
  admission_.unquiesce();
  EXPECT_TRUE(admission_.admits(0));
}

TEST_F(AdmissionTest, AnotherBuildMayFindWhatItNeeds) {
  ASSERT_TRUE(unavailable());
  admission_.quiesce();
  EXPECT_FALSE(admission_.admits(0));
  admission_.unquiesce();
  EXPECT_TRUE(admission_.admits(0));
  EXPECT_TRUE(admission_.begin_attempt()) << "which finds out";
}

TEST_F(AdmissionTest, WhileItIsHeldThereIsNoOutage) {
  ASSERT_TRUE(unavailable());
  admission_.hold();
  EXPECT_TRUE(admission_.outage().over());
  EXPECT_FALSE(unavailable());
}

TEST_F(AdmissionTest, DrainingNobodyWaitsForTheEndOfAnOutage) {
  ASSERT_TRUE(unavailable());
  EXPECT_TRUE(admission_.begin_draining());
  EXPECT_FALSE(admission_.begin_draining());
  EXPECT_TRUE(admission_.outage().tests_next()) << "one message gets its chance";
  (void)admission_.begin_attempt();
  ASSERT_TRUE(unavailable(true));
  EXPECT_EQ(admission_.outage().waits_until(), Monotonic::max());
  EXPECT_FALSE(admission_.may_be_over());
  admission_.resume();
  EXPECT_FALSE(admission_.draining());
}

TEST(Probe, IsAskedForAndUnderWayOnce) {
  Probe probe;
  const Monotonic deadline{Millis(1'000)};
  EXPECT_FALSE(probe.begin(deadline));
  EXPECT_FALSE(probe.end());
  probe.ask();
  EXPECT_TRUE(probe.wanted() && probe.open());
  EXPECT_TRUE(probe.begin(deadline));
  EXPECT_FALSE(probe.begin(deadline));
  EXPECT_TRUE(probe.under_way() && probe.open());
  EXPECT_FALSE(probe.overruns(deadline - Millis(1)));
  EXPECT_TRUE(probe.overruns(deadline));
  EXPECT_TRUE(probe.end());
  EXPECT_FALSE(probe.under_way() || probe.open() || probe.overruns(deadline));
}

}  // namespace
}  // namespace triggerd::dispatch
