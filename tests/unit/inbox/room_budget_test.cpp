#include "inbox/room_budget.hpp"

#include <gtest/gtest.h>

namespace triggerd::inbox {
namespace {

class RoomBudgetTest : public testing::Test {
 protected:
  using Shortage = RoomBudget::Shortage;
  static constexpr std::uint64_t kMiB = 1U << 20;
  static constexpr std::uint64_t kPortion = kMiB;
  static constexpr std::uint64_t kWorking = 2 * kPortion;
  static constexpr std::uint64_t kMaxSize = 1024 * kMiB;

  // Of a volume that is known.
  void measure(Space space) {
    space.known = true;
    budget_.measured(space);
  }

  RoomBudget budget_{kMaxSize, kPortion, kWorking};
};

TEST_F(RoomBudgetTest, OnAVolumeThatIsNotKnownOnlyMaxSizeCounts) {
  budget_.measured({.used = 5 * kMiB});
  EXPECT_TRUE(budget_.may_add(kMaxSize));
  EXPECT_EQ(budget_.limit(), kMaxSize);
  EXPECT_EQ(budget_.judge(), Shortage::none);
}

TEST_F(RoomBudgetTest, WhatMakesTheFileLargerLeavesAsMuchToBeAddedOnceThatIsFree) {
  // The file grows by one portion, the WAL has it before, and may hold two more; two are kept.
  measure({.available = 6 * kPortion});
  EXPECT_TRUE(budget_.may_add(kPortion));
  measure({.available = 6 * kPortion - 1});
  EXPECT_FALSE(budget_.may_add(kPortion));
}

TEST_F(RoomBudgetTest, WhatFitsIntoFreePagesNeedsRoomInTheWalOnly) {
  measure({.free = kPortion, .available = 3 * kPortion});
  EXPECT_TRUE(budget_.may_add(kPortion));
  EXPECT_FALSE(budget_.may_add(kPortion + 1));
  measure({.free = kPortion, .available = 3 * kPortion - 1});
  EXPECT_FALSE(budget_.may_add(kPortion));
}

TEST_F(RoomBudgetTest, TheWalIsRoomUnlessAReaderHoldsIt) {
  measure({.wal = 3 * kPortion, .free = kPortion});
  EXPECT_TRUE(budget_.may_add(kPortion));
  budget_.set_wal_held(true);
  EXPECT_FALSE(budget_.may_add(kPortion));
}

TEST_F(RoomBudgetTest, ReceivingGoesOnWithMoreRoomThanItPausedWith) {
  const auto judged = [this](std::uint64_t free, std::uint64_t available) {
    measure({.free = free, .available = available});
    return budget_.judge();
  };
  EXPECT_EQ(judged(0, 6 * kPortion), Shortage::none);
  EXPECT_EQ(judged(0, 6 * kPortion - 1), Shortage::volume);
  EXPECT_EQ(judged(0, 8 * kPortion - 1), Shortage::volume);
  EXPECT_EQ(judged(0, 8 * kPortion), Shortage::none);
  // Free pages count, but the WAL cannot work in them.
  EXPECT_EQ(judged(100 * kPortion, 3 * kPortion), Shortage::none);
  EXPECT_EQ(judged(100 * kPortion, 3 * kPortion - 1), Shortage::volume);
  EXPECT_EQ(judged(100 * kPortion, 4 * kPortion - 1), Shortage::volume);
  EXPECT_EQ(judged(100 * kPortion, 4 * kPortion), Shortage::none);
}

TEST_F(RoomBudgetTest, WhatIsOverMaxSizeIsSoUntilATenthIsFree) {
  const auto judged = [this](std::uint64_t used) {
    budget_.measured({.used = used});
    return budget_.judge();
  };
  EXPECT_EQ(judged(kMaxSize), Shortage::none);
  EXPECT_EQ(judged(kMaxSize + 1), Shortage::size);
  EXPECT_EQ(judged(kMaxSize / 10 * 9 + 10), Shortage::size);
  EXPECT_EQ(judged(kMaxSize / 10 * 9), Shortage::none);
}

TEST_F(RoomBudgetTest, OnAFullVolumeOnlyRemovalsAreWrittenAndLittleByLittle) {
  measure({.used = 10 * kPortion, .available = 1'000 * kPortion});
  EXPECT_GT(budget_.removal_bytes_at_once(), kPortion);
  budget_.set_cramped(true);
  EXPECT_TRUE(budget_.takes_only_removals());
  EXPECT_FALSE(budget_.may_add(1));
  EXPECT_EQ(budget_.removal_bytes_at_once(), kPortion);
  EXPECT_EQ(budget_.judge(), Shortage::volume);
  budget_.set_cramped(false);
  EXPECT_TRUE(budget_.may_add(1));
  EXPECT_EQ(budget_.judge(), Shortage::none);
}

TEST_F(RoomBudgetTest, BehindAReaderTheWalHasABound) {
  constexpr std::uint64_t kBound = 64 * kMiB;
  measure({.used = kBound + 1, .wal = kBound + 1, .available = 1'000 * kPortion});
  EXPECT_FALSE(budget_.takes_only_removals()) << "nobody holds it";
  budget_.set_wal_held(true);
  EXPECT_TRUE(budget_.takes_only_removals());
  EXPECT_EQ(budget_.judge(), Shortage::reader);
  EXPECT_EQ(budget_.why_not(), Shortage::reader);
  measure({.used = kBound, .wal = kBound, .available = 1'000 * kPortion});
  EXPECT_FALSE(budget_.takes_only_removals());
  EXPECT_EQ(budget_.judge(), Shortage::none);
  EXPECT_EQ(budget_.why_not(), Shortage::volume);
}

TEST_F(RoomBudgetTest, MayHoldWhatTheVolumeHasBesideWhatIsKept) {
  measure({.used = 5 * kPortion, .wal = kPortion, .free = kPortion, .available = 10 * kPortion});
  EXPECT_EQ(budget_.limit(), 10 * kPortion) << "4 in the file, and 12 that are left, less 6";
  measure({.used = 5 * kPortion, .wal = kPortion, .available = kPortion});
  EXPECT_EQ(budget_.limit(), 4 * kPortion);
  measure({.available = 2 * kMaxSize});
  EXPECT_EQ(budget_.limit(), kMaxSize);
}

TEST_F(RoomBudgetTest, ATransactionTakesASixteenthOfWhatIsLeftWithinBounds) {
  const auto at_once = [this](std::uint64_t available) {
    measure({.available = available});
    return budget_.bytes_at_once();
  };
  EXPECT_EQ(at_once(0), kPortion);
  EXPECT_EQ(at_once(48 * kPortion), 3 * kPortion);
  EXPECT_EQ(at_once(kMaxSize), 16 * kMiB);
}

TEST_F(RoomBudgetTest, AFileThatIsMostlyFreeIsMadeSmallerWhereThatFitsBesideIt) {
  measure({.used = kPortion - 2, .free = kPortion, .available = 2 * kPortion});
  EXPECT_TRUE(budget_.is_worth_shrinking());
  measure({.used = kPortion - 2, .free = kPortion - 2, .available = 2 * kPortion});
  EXPECT_FALSE(budget_.is_worth_shrinking()) << "half of it is in use";
  measure({.used = kPortion, .free = 2 * kPortion, .available = 2 * kPortion});
  EXPECT_FALSE(budget_.is_worth_shrinking()) << "it is copied through the WAL";
}

TEST_F(RoomBudgetTest, TheWalIsGivenBackWholeWhileTheVolumeIsFull) {
  EXPECT_EQ(budget_.wal_allowed(), 4 * kPortion);
  budget_.set_cramped(true);
  EXPECT_EQ(budget_.wal_allowed(), 0U);
}

// Else that would be so for ever, since it is compared with nothing any more.
TEST_F(RoomBudgetTest, AVolumeThatIsNotKnownAnyMoreIsNotNearlyFull) {
  measure({.available = 0});
  ASSERT_EQ(budget_.judge(), Shortage::volume);
  budget_.measured({.known = false});
  EXPECT_EQ(budget_.judge(), Shortage::none);
}

TEST_F(RoomBudgetTest, ASmallMaxSizeHasSmallPortions) {
  EXPECT_EQ(RoomBudget(8 * kMiB, 4 * kMiB, 8 * kMiB).portion(), kMiB);
  EXPECT_EQ(RoomBudget(kMiB / 8, 4 * kMiB, 8 * kMiB).portion(), 64U << 10);
  EXPECT_EQ(RoomBudget(kMaxSize, 4 * kMiB, 8 * kMiB).portion(), 4 * kMiB);
}

}  // namespace
}  // namespace triggerd::inbox
