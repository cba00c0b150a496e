#include "trigger/trigger_state.hpp"

#include <gtest/gtest.h>

#include "support/fake_clock.hpp"

namespace triggerd::trigger {
namespace {

using Kind = TriggerState::Kind;

class TriggerStateTest : public testing::Test {
 protected:
  test::FakeClock clock_;
  // What a restart would find, and whether the disk takes it.
  std::optional<inbox::TriggerState> stored_;
  bool disk_works_ = true;
  int stores_ = 0;
  TriggerState state_{clock_, [this](const std::optional<inbox::TriggerState>& state) -> Result<> {
                        ++stores_;
                        if (!disk_works_) return fail("no space left");
                        stored_ = state;
                        return {};
                      }};
};

TEST_F(TriggerStateTest, BeginsEnabledAndStoresNothing) {
  EXPECT_FALSE(state_.suspended());
  EXPECT_FALSE(state_.disabled());
  EXPECT_FALSE(state_.details());
  EXPECT_TRUE(state_.store());
  EXPECT_EQ(stores_, 0);
}

TEST_F(TriggerStateTest, AnAdministratorsChangeIsStoredWithWhoWhenAndWhy) {
  clock_.advance(Millis(5'000));
  ASSERT_TRUE(state_.change(Kind::disabled, "anna", "maintenance"));
  EXPECT_TRUE(state_.disabled());
  EXPECT_FALSE(state_.suspended());
  for (const auto& each : {stored_, state_.details()}) {
    ASSERT_TRUE(each);
    EXPECT_EQ(each->state, Kind::disabled);
    EXPECT_EQ(each->changed_by, "anna");
    EXPECT_EQ(each->reason, "maintenance");
    EXPECT_EQ(each->since, clock_.wall());
  }
  ASSERT_TRUE(state_.enable());
  EXPECT_FALSE(state_.disabled());
  EXPECT_FALSE(stored_);
  EXPECT_FALSE(state_.details());
}

TEST_F(TriggerStateTest, AnAdministratorsChangeThatCannotBeStoredChangesNothing) {
  ASSERT_TRUE(state_.change(Kind::suspended, "anna", ""));
  disk_works_ = false;
  EXPECT_FALSE(state_.change(Kind::disabled, "bob", ""));
  EXPECT_FALSE(state_.enable());
  EXPECT_TRUE(state_.suspended());
  EXPECT_FALSE(state_.disabled());
  ASSERT_TRUE(state_.details());
  EXPECT_EQ(state_.details()->changed_by, "anna");
}

TEST_F(TriggerStateTest, WhatItsMessagesBringAboutHoldsBeforeItIsStored) {
  disk_works_ = false;
  ASSERT_TRUE(state_.suspend("on_exhausted", "out of attempts"));
  EXPECT_TRUE(state_.suspended());
  const auto stored = state_.store();
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().message, "no space left");
  disk_works_ = true;
  ASSERT_TRUE(state_.store());
  ASSERT_TRUE(stored_);
  EXPECT_EQ(stored_->reason, "out of attempts");
  const int stores = stores_;
  ASSERT_TRUE(state_.store());
  EXPECT_EQ(stores_, stores) << "it was stored";
}

// Otherwise a restart finds it suspended, although it ran when the process ended.
TEST_F(TriggerStateTest, ARecoveryThatCouldNotBeStoredIsStoredLater) {
  ASSERT_TRUE(state_.change(Kind::suspended, "anna", ""));
  disk_works_ = false;
  ASSERT_TRUE(state_.recover());
  EXPECT_FALSE(state_.suspended());
  EXPECT_FALSE(state_.store());
  EXPECT_TRUE(stored_);
  disk_works_ = true;
  ASSERT_TRUE(state_.store());
  EXPECT_FALSE(stored_);
}

TEST_F(TriggerStateTest, MessagesDoNotUndoWhatAnAdministratorHasDone) {
  ASSERT_TRUE(state_.change(Kind::disabled, "anna", ""));
  EXPECT_FALSE(state_.suspend("on_exhausted", ""));
  EXPECT_FALSE(state_.recover());
  EXPECT_TRUE(state_.disabled());
  ASSERT_TRUE(stored_);
  EXPECT_EQ(stored_->state, Kind::disabled);
  ASSERT_TRUE(state_.enable());
  EXPECT_FALSE(state_.recover()) << "it is not suspended";
}

TEST_F(TriggerStateTest, AnAdministratorsChangeReplacesOneThatIsNotStoredYet) {
  disk_works_ = false;
  ASSERT_TRUE(state_.suspend("on_exhausted", ""));
  ASSERT_FALSE(state_.store());
  disk_works_ = true;
  ASSERT_TRUE(state_.change(Kind::disabled, "anna", ""));
  const int stores = stores_;
  ASSERT_TRUE(state_.store());
  EXPECT_EQ(stores_, stores);
  EXPECT_EQ(stored_->state, Kind::disabled);
}

TEST_F(TriggerStateTest, GoesOnFromWhatWasStored) {
  state_.load(inbox::TriggerState{
      .state = Kind::suspended, .changed_by = "anna", .reason = "why", .since = clock_.wall()});
  EXPECT_TRUE(state_.suspended());
  EXPECT_EQ(stores_, 0);
  ASSERT_TRUE(state_.recover());
  ASSERT_TRUE(state_.store());
  EXPECT_EQ(stores_, 1);
}

}  // namespace
}  // namespace triggerd::trigger
