#include "base/units.hpp"

#include <gtest/gtest.h>

namespace triggerd {
namespace {

TEST(DurationTest, ReadsEveryUnit) {
  EXPECT_EQ(parse_duration("500ms").value(), Millis(500));
  EXPECT_EQ(parse_duration("30s").value(), Millis(30'000));
  EXPECT_EQ(parse_duration("5m").value(), Millis(300'000));
  EXPECT_EQ(parse_duration("2h").value(), Millis(7'200'000));
  EXPECT_EQ(parse_duration("7d").value(), Millis(604'800'000));
  EXPECT_EQ(parse_duration("0s").value(), Millis(0));
}

TEST(DurationTest, ReadsSums) {
  EXPECT_EQ(parse_duration("1m30s").value(), Millis(90'000));
  EXPECT_EQ(parse_duration("1d1h1m1s1ms").value(), Millis(90'061'001));
}

TEST(DurationTest, RefusesTheRest) {
  for (const char* bad : {"", "5", "s", "ms", "5 s", " 5s", "5s ", "-5s", "+5s", "1.5s", "5S",
                          "5sec", "5w", "1h30", "soon", "18446744073709551616s"}) {
    const auto duration = parse_duration(bad);
    ASSERT_FALSE(duration) << bad;
    EXPECT_NE(duration.error().message.find(bad), std::string::npos) << duration.error().message;
  }
}

TEST(DurationTest, EndsAtTenYears) {
  EXPECT_TRUE(parse_duration("3660d"));
  EXPECT_FALSE(parse_duration("3661d"));
  EXPECT_FALSE(parse_duration("3660d1ms"));
  EXPECT_FALSE(parse_duration("18446744073709551615ms"));
}

TEST(DurationTest, IsWrittenShortAndExact) {
  EXPECT_EQ(format_duration(Millis(0)), "0s");
  EXPECT_EQ(format_duration(Millis(-1)), "0s");
  EXPECT_EQ(format_duration(Millis(1)), "1ms");
  EXPECT_EQ(format_duration(Millis(60'000)), "1m");
  EXPECT_EQ(format_duration(Millis(90'000)), "1m30s");
  EXPECT_EQ(format_duration(Millis(86'400'001)), "1d1ms");
  for (const std::int64_t ms : {1, 999, 1'000, 61'001, 3'600'000, 90'061'001}) {
    EXPECT_EQ(parse_duration(format_duration(Millis(ms))).value(), Millis(ms));
  }
}

TEST(SizeTest, ReadsEveryUnit) {
  EXPECT_EQ(parse_size("0").value(), 0u);
  EXPECT_EQ(parse_size("512").value(), 512u);
  EXPECT_EQ(parse_size("512B").value(), 512u);
  EXPECT_EQ(parse_size("64KiB").value(), 65'536u);
  EXPECT_EQ(parse_size("1MiB").value(), 1'048'576u);
  EXPECT_EQ(parse_size("1GiB").value(), 1'073'741'824u);
  EXPECT_EQ(parse_size("1TiB").value(), 1'099'511'627'776u);
}

TEST(SizeTest, RefusesTheRest) {
  for (const char* bad : {"", "B", "1KB", "1MB", "1K", "1kib", "1 MiB", "-1", "+1", "1.5MiB",
                          "1MiB1KiB", "18446744073709551616"}) {
    EXPECT_FALSE(parse_size(bad)) << bad;
  }
}

TEST(SizeTest, FitsASignedInteger) {
  EXPECT_EQ(parse_size("9223372036854775807").value(), 9'223'372'036'854'775'807u);
  EXPECT_FALSE(parse_size("9223372036854775808"));
  EXPECT_TRUE(parse_size("8388607TiB"));
  EXPECT_FALSE(parse_size("8388608TiB"));
}

TEST(SizeTest, IsWrittenExactly) {
  EXPECT_EQ(format_size(0), "0B");
  EXPECT_EQ(format_size(1023), "1023B");
  EXPECT_EQ(format_size(1024), "1KiB");
  EXPECT_EQ(format_size(1536), "1536B");
  EXPECT_EQ(format_size(std::uint64_t{3} << 40), "3TiB");
}

}  // namespace
}  // namespace triggerd
