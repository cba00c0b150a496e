#include "inbox/key_list.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <unordered_map>

namespace triggerd::inbox {
namespace {

constexpr Monotonic kStart{Millis(1'000'000)};
constexpr Millis kHour{3'600'000};

MessageKey key(std::uint64_t first, std::uint64_t second = 0) {
  MessageKey made{};
  std::memcpy(made.data(), &first, sizeof first);
  std::memcpy(made.data() + sizeof first, &second, sizeof second);
  return made;
}

TEST(KeyListTest, AKeyIsKnownWithinTheWindow) {
  KeyList keys(7, {.window = kHour, .max = 10});
  EXPECT_FALSE(keys.has(key(1), kStart));
  const KeyList::Added added = keys.add(key(1), kStart);
  EXPECT_EQ(added.row.list, 7);
  EXPECT_EQ(added.row.number, 1);
  EXPECT_EQ(added.row.key, key(1));
  EXPECT_EQ(added.row.handled, kStart);
  EXPECT_EQ(added.row.forget_to, 0);
  EXPECT_TRUE(keys.has(key(1), kStart + kHour - Millis(1)));
  EXPECT_FALSE(keys.has(key(2), kStart));
  EXPECT_FALSE(keys.has(key(1), kStart + kHour));
  EXPECT_EQ(keys.stats(kStart + kHour).keys, 0U);
  EXPECT_EQ(keys.stats(kStart + kHour).forgotten, 0U) << "not before its time";
}

TEST(KeyListTest, WhereThereAreTooManyTheOldestIsForgottenAndThatIsToldOnce) {
  KeyList keys(1, {.window = kHour, .max = 2});
  EXPECT_FALSE(keys.add(key(1), kStart).is_first_too_many);
  EXPECT_FALSE(keys.add(key(2), kStart).is_first_too_many);
  const KeyList::Added third = keys.add(key(3), kStart);
  EXPECT_TRUE(third.is_first_too_many);
  EXPECT_EQ(third.row.forget_to, 1) << "its row is removed with it";
  EXPECT_FALSE(keys.has(key(1), kStart));
  EXPECT_TRUE(keys.has(key(2), kStart));
  EXPECT_FALSE(keys.add(key(4), kStart).is_first_too_many);
  EXPECT_EQ(keys.stats(kStart).keys, 2U);
  EXPECT_EQ(keys.stats(kStart).forgotten, 2U);
}

TEST(KeyListTest, OtherLimitsForgetNoMoreThanTheySay) {
  KeyList keys(1, {.window = kHour, .max = 10});
  for (std::uint64_t i = 1; i <= 4; ++i) keys.add(key(i), kStart + Millis(i));
  keys.set_limits({.window = 2 * kHour, .max = 3});
  EXPECT_FALSE(keys.has(key(1), kStart));
  EXPECT_TRUE(keys.has(key(2), kStart + kHour + Millis(2))) << "it lasts longer now";
  keys.set_limits({.window = kHour, .max = 3});
  EXPECT_FALSE(keys.has(key(2), kStart + kHour + Millis(2)));
  EXPECT_TRUE(keys.has(key(4), kStart + kHour + Millis(3)));
}

TEST(KeyListTest, RowsThatWereForgottenTogetherAreRemovedSomeAtATime) {
  KeyList keys(1, {.window = kHour, .max = 10'000});
  for (std::uint64_t i = 1; i <= 3'000; ++i) keys.add(key(i), kStart);
  (void)keys.stats(kStart + kHour);
  std::int64_t to = 0;
  for (const std::int64_t expected : {1'024, 2'048, 3'000}) {
    to = keys.add(key(9'999), kStart + kHour).row.forget_to;
    EXPECT_EQ(to, expected);
  }
  EXPECT_EQ(keys.add(key(9'999), kStart + kHour).row.forget_to, 0) << "there is nothing more";
}

TEST(KeyListTest, RestoredKeysGoOnWhereTheyWere) {
  KeyList keys(1, {.window = kHour, .max = 3});
  const Monotonic now = kStart + kHour;
  // 11 is over, 12 to 15 are not, and there are too many of them by one.
  for (std::int64_t number = 11; number <= 15; ++number) {
    keys.restore({.list = 1,
                  .number = number,
                  .key = key(static_cast<std::uint64_t>(number)),
                  .handled = kStart + Millis(number - 11)},
                 now);
  }
  EXPECT_FALSE(keys.has(key(11), now));
  EXPECT_FALSE(keys.has(key(12), now));
  EXPECT_TRUE(keys.has(key(13), now));
  EXPECT_EQ(keys.stats(now).keys, 3U);
  const KeyList::Added added = keys.add(key(1), now);
  EXPECT_EQ(added.row.number, 16);
  EXPECT_EQ(added.row.forget_to, 13) << "one more had to go for it";
}

TEST(KeyListTest, RestoredKeysKeepTheirRows) {
  KeyList keys(1, {.window = kHour, .max = 10});
  for (std::int64_t number = 1; number <= 3; ++number) {
    keys.restore({.list = 1,
                  .number = number,
                  .key = key(static_cast<std::uint64_t>(number)),
                  .handled = kStart},
                 kStart);
  }
  EXPECT_EQ(keys.add(key(4), kStart).row.forget_to, 0);
}

TEST(KeyListTest, ATimeToComeCountsAsNow) {
  KeyList keys(1, {.window = kHour, .max = 3});
  keys.restore({.list = 1, .number = 1, .key = key(1), .handled = kStart + 5 * kHour}, kStart);
  EXPECT_TRUE(keys.has(key(1), kStart + kHour - Millis(1)));
  EXPECT_FALSE(keys.has(key(1), kStart + kHour));
}

// Few different hashes, so that keys are in each other's way all the time.
TEST(KeyListTest, ItIsWhatAMapWouldBe) {
  constexpr std::size_t kMost = 300;
  KeyList keys(1, {.window = Millis(1'000), .max = kMost});
  std::unordered_map<std::uint64_t, Monotonic> handled;
  std::mt19937_64 random(20'261'130);
  Monotonic now = kStart;
  std::size_t known = 0;
  for (int i = 0; i < 200'000; ++i) {
    now += Millis(random() % 8);
    const std::uint64_t number = random() % 500;
    const auto found = handled.find(number);
    const bool is_known = found != handled.end() && now - found->second < Millis(1'000);
    const MessageKey tried = key(number % 16, number);
    ASSERT_EQ(keys.has(tried, now), is_known) << "at step " << i;
    known += is_known ? 1U : 0U;
    if (is_known && random() % 10 != 0) continue;  // as a dispatcher does, but for the tenth
    keys.add(tried, now);
    handled[number] = now;
  }
  EXPECT_GT(known, 10'000U);
  EXPECT_LE(keys.stats(now).keys, kMost);
  EXPECT_EQ(keys.stats(now).forgotten, 0U) << "or the map would be no measure";
}

}  // namespace
}  // namespace triggerd::inbox
