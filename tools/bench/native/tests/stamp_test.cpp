#include "common/stamp.hpp"

#include <gtest/gtest.h>

#include "common/gaps.hpp"

namespace bench {
namespace {

std::string stamped(const Stamp& stamp, std::size_t size) {
  std::string payload;
  append_stamped(payload, stamp, size);
  return payload;
}

TEST(Stamp, StandsAtTheFrontOfThePayload) {
  EXPECT_EQ(stamped({.monotonic = 123, .wall = ~std::uint64_t{0}}, kStampSize),
            "00000000000000000123 18446744073709551615");
  EXPECT_EQ(stamped({.monotonic = 1, .wall = 2}, kStampSize + 3),
            "00000000000000000001 00000000000000000002...");
}

TEST(Stamp, IsReadBack) {
  for (const std::uint64_t at : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
    EXPECT_EQ(stamp_of(stamped({.monotonic = at, .wall = 5}, 64)), at);
  }
  const std::uint64_t before = monotonic_ns();
  const auto read = stamp_of(stamped(Stamp::now(), 64));
  ASSERT_TRUE(read);
  EXPECT_GE(*read, before);
  EXPECT_LE(*read, monotonic_ns());
}

TEST(Stamp, OtherPayloadsHaveNone) {
  const std::string good = stamped({.monotonic = 7, .wall = 8}, 64);
  EXPECT_TRUE(stamp_of(good));
  EXPECT_FALSE(stamp_of(""));
  EXPECT_FALSE(stamp_of(good.substr(0, kStampSize - 1)));
  EXPECT_FALSE(stamp_of(std::string(64, 'x')));
  for (const std::size_t at : {std::size_t{0}, kStampDigits - 1, kStampDigits}) {
    std::string bad = good;
    bad[at] = 'x';
    EXPECT_FALSE(stamp_of(bad)) << at;
  }
}

TEST(Stamp, GapsAreTwoNumbers) {
  const auto gaps = read_gaps("1.5:20");
  ASSERT_TRUE(gaps);
  EXPECT_EQ(gaps->min_ms, 1.5);
  EXPECT_EQ(gaps->max_ms, 20);
  EXPECT_TRUE(read_gaps("3:3"));
  for (const char* bad : {"", "5", "5:", ":5", "5:4", "-1:4", "0:0", "1:2x", "x", "1-2", "1:2:3"}) {
    EXPECT_FALSE(read_gaps(bad)) << bad;
  }
}

}  // namespace
}  // namespace bench
