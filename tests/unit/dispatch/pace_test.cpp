#include "dispatch/pace.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace triggerd::dispatch {
namespace {

using std::chrono::microseconds;
using Begun = std::vector<Monotonic>;

constexpr Millis kSecond{1'000};

// The most that began in any window of `length`, ends included.
std::size_t most_within(const Begun& begun, Monotonic::duration length) {
  std::size_t most = 0;
  for (std::size_t first = 0, last = 0; last < begun.size(); ++last) {
    while (begun[last] - begun[first] > length) ++first;
    most = std::max(most, last - first + 1);
  }
  return most;
}

// What max_rate promises for a window of `length`.
std::size_t allowed_within(const config::Rate& rate, Monotonic::duration length) {
  const Monotonic::duration per = rate.per;
  return 1 + static_cast<std::size_t>((length + Pace::kTolerance) * rate.count / per);
}

void expect_bound(const config::Rate& rate, const Begun& begun) {
  for (const Millis length : {Millis(0), Millis(7), Millis(10), Millis(99), Millis(1'000)}) {
    EXPECT_LE(most_within(begun, length), allowed_within(rate, length))
        << rate.count << " in " << rate.per.count() << " ms: in " << length.count() << " ms";
  }
}

class PaceTest : public testing::Test {
 protected:
  // As many as may begin now.
  std::size_t begin_all(Pace& pace) {
    std::size_t count = 0;
    for (; !pace.closed(); ++count) {
      pace.begin(now_);
      begun_.push_back(now_);
    }
    return count;
  }
  // The timer comes, `late` after it was due.
  void wait(Pace& pace, Monotonic::duration late = Millis(0)) {
    now_ = pace.opens_at() + late;
    EXPECT_TRUE(pace.pass_time(now_));
  }

  Monotonic now_{Millis(5'000)};
  Begun begun_;
};

TEST_F(PaceTest, WithoutALimitItIsNeverClosed) {
  Pace pace{config::Rate{}};
  EXPECT_FALSE(pace.closed());
  EXPECT_FALSE(pace.limited());
}

TEST_F(PaceTest, ASlowRateLetsOneGoAtATime) {
  Pace pace({.count = 2, .per = kSecond});
  EXPECT_EQ(pace.burst(), 1U);
  EXPECT_EQ(begin_all(pace), 1U);
  EXPECT_FALSE(pace.pass_time(now_ + Millis(494)));
  EXPECT_EQ(pace.opens_at(), now_ + Millis(495));
  EXPECT_TRUE(pace.pass_time(now_ + Millis(495)));
  EXPECT_FALSE(pace.closed());
}

TEST_F(PaceTest, AfterAnIdleTimeNoMoreGoThanTheTolerance) {
  Pace pace({.count = 1'000, .per = kSecond});
  begin_all(pace);
  now_ += std::chrono::hours(1);
  ASSERT_TRUE(pace.pass_time(now_));
  EXPECT_EQ(begin_all(pace), 11U) << "10 ms of them, and one";
  EXPECT_EQ(pace.burst(), 11U);
}

TEST_F(PaceTest, AHighRateNeedsNoTimerForEachMessage) {
  Pace pace({.count = 1'000'000, .per = kSecond});
  begin_all(pace);
  const Monotonic start = now_;
  begun_.clear();
  int timers = 0;
  for (; now_ < start + kSecond; ++timers) {
    wait(pace);
    begin_all(pace);
  }
  EXPECT_LE(timers, 201);
  EXPECT_NEAR(static_cast<double>(begun_.size()), 1e6, 1e4);
}

TEST_F(PaceTest, ATimerThatIsLateByHalfTheToleranceCostsNothing) {
  for (const std::uint32_t count : {3U, 50U, 100U, 777U, 20'000U}) {
    Pace pace({.count = count, .per = kSecond});
    begun_.clear();
    const Monotonic start = now_;
    begin_all(pace);
    while (now_ < start + std::chrono::seconds(10)) {
      wait(pace, Millis(5));
      begin_all(pace);
    }
    EXPECT_GE(begun_.size(), std::size_t{count} * 10) << count;
    expect_bound({.count = count, .per = kSecond}, begun_);
    now_ += kSecond;
  }
}

TEST_F(PaceTest, ATimerThatIsVeryLateDoesNotLeadToMore) {
  const config::Rate rate{.count = 500, .per = kSecond};
  Pace pace(rate);
  begin_all(pace);
  wait(pace, std::chrono::seconds(2));
  EXPECT_EQ(begin_all(pace), 6U) << "10 ms of them, and one";
}

TEST_F(PaceTest, InNoWindowTooManyBeginWhateverComesWhen) {
  std::mt19937 random(7);  // NOLINT: the same each time
  for (const config::Rate rate :
       {config::Rate{.count = 7, .per = kSecond}, config::Rate{.count = 250, .per = kSecond},
        config::Rate{.count = 9'999, .per = kSecond},
        config::Rate{.count = 100, .per = std::chrono::minutes(1)}}) {
    Pace pace(rate);
    Begun seen;
    struct InHand {
      Monotonic began;
      std::uint64_t turn;
    };
    std::vector<InHand> in_hand;
    for (int step = 0; step < 20'000; ++step) {
      now_ += microseconds(random() % (step % 500 < 250 ? 3'000 : 100));
      pace.pass_time(now_);
      for (unsigned wanted = random() % 8; wanted > 0 && !pace.closed(); --wanted) {
        in_hand.push_back({now_, pace.begin(now_)});
      }
      // What ends, in any order: of three, two were for nobody.
      while (in_hand.size() > random() % 40) {
        std::swap(in_hand[random() % in_hand.size()], in_hand.back());
        if (random() % 3 == 0) {
          seen.push_back(in_hand.back().began);
        } else {
          pace.give_back(in_hand.back().turn);
        }
        in_hand.pop_back();
      }
    }
    std::sort(seen.begin(), seen.end());
    EXPECT_GT(seen.size(), 20U);
    expect_bound(rate, seen);
  }
}

TEST_F(PaceTest, AnotherOneMayGoForEachThatIsGivenBack) {
  Pace pace({.count = 1, .per = kSecond});
  for (int i = 0; i < 5'000; ++i) {
    const std::uint64_t turn = pace.begin(now_);
    ASSERT_TRUE(pace.closed());
    pace.give_back(turn);
    ASSERT_TRUE(pace.pass_time(now_));
  }
  pace.begin(now_);
  EXPECT_EQ(pace.opens_at(), now_ + Millis(995)) << "one has gone";
}

TEST_F(PaceTest, WhatWasGivenBackOfManyCountsNotAtAll) {
  Pace pace({.count = 1'000, .per = kSecond});
  std::vector<std::uint64_t> turns;
  while (!pace.closed()) turns.push_back(pace.begin(now_));
  for (std::size_t i = 1; i < turns.size(); ++i) pace.give_back(turns[i]);
  ASSERT_TRUE(pace.pass_time(now_));
  EXPECT_EQ(begin_all(pace), 10U);
}

TEST_F(PaceTest, WhatIsGivenBackAfterAnIdleTimeMakesNoRoom) {
  Pace pace({.count = 1, .per = kSecond});
  const std::uint64_t old = pace.begin(now_);
  now_ += kSecond;
  ASSERT_TRUE(pace.pass_time(now_));
  pace.begin(now_);
  pace.give_back(old);
  EXPECT_FALSE(pace.pass_time(now_)) << "its second is over anyway";
}

TEST_F(PaceTest, OfVeryManyOnlyTheLatestCanBeGivenBack) {
  Pace pace({.count = 1'000'000, .per = kSecond});
  std::vector<std::uint64_t> turns;
  while (!pace.closed()) turns.push_back(pace.begin(now_));
  ASSERT_GT(turns.size(), 1'024U);
  const Monotonic opens = pace.opens_at();
  pace.give_back(turns.front());
  EXPECT_EQ(pace.opens_at(), opens) << "it counts all the same";
  pace.give_back(turns[turns.size() - 1'024]);
  pace.give_back(turns.back());
  EXPECT_EQ(pace.opens_at(), opens - microseconds(2));
  pace.give_back(turns.back());
  EXPECT_EQ(pace.opens_at(), opens - microseconds(2)) << "once";
}

TEST_F(PaceTest, HowLongItHoldsIsAddedUp) {
  Pace pace({.count = 1, .per = kSecond});
  EXPECT_FALSE(pace.holds());
  pace.note_waiting(true, now_);
  pace.note_waiting(true, now_ + Millis(10));
  EXPECT_TRUE(pace.holds());
  EXPECT_EQ(pace.held(now_ + Millis(30)), Millis(30));
  pace.note_waiting(false, now_ + Millis(40));
  EXPECT_EQ(pace.held(now_ + Millis(90)), Millis(40));
  pace.note_waiting(true, now_ + Millis(100));
  pace.note_waiting(false, now_ + Millis(101));
  EXPECT_EQ(pace.held(now_ + Millis(200)), Millis(41));
}

}  // namespace
}  // namespace triggerd::dispatch
