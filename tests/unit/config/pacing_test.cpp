#include "config/pacing.hpp"

#include <gtest/gtest.h>

#include <string>

namespace triggerd::config {
namespace {

// What is wrong with it; empty: nothing.
std::string wrong_with(std::string_view text) {
  const auto rate = parse_rate(text);
  return rate ? "" : rate.error().message;
}

TEST(RateTest, WhatIsWrittenIsReadAndShownAgain) {
  for (const char* text : {"1/s", "100/s", "10000000/s", "30/min", "5/h"}) {
    const auto rate = parse_rate(text);
    ASSERT_TRUE(rate) << text;
    EXPECT_EQ(format_rate(*rate), text);
  }
  const auto hourly = parse_rate("5/h");
  ASSERT_TRUE(hourly);
  EXPECT_EQ(hourly->count, 5U);
  EXPECT_EQ(hourly->per, std::chrono::hours(1));
}

TEST(RateTest, NoLimitIsShownAsNothing) {
  EXPECT_FALSE(Rate{}.limited());
  EXPECT_EQ(format_rate(Rate{}), "");
}

TEST(RateTest, WhatIsNoRateIsRefusedWithWhatToWrite) {
  constexpr const char* kForm =
      "write a whole number and \"/s\", \"/min\" or \"/h\", as in \"100/s\"";
  for (const char* text : {"", "100", "100/", "/s", "100/S", "100/sec", "100/m", "100 /s", "1.5/s",
                           "-1/s", "+1/s", "100/s ", "s/100", "0x10/s"}) {
    EXPECT_EQ(wrong_with(text), kForm) << text;
  }
}

TEST(RateTest, ARateOfNothingOrTooMuchIsRefused) {
  EXPECT_EQ(wrong_with("0/s"), "nothing would ever be handled; leave it out for no limit");
  for (const char* text : {"10000001/s", "99999999999999999999/h"}) {
    EXPECT_EQ(wrong_with(text), "the number must be from 1 to 10000000") << text;
  }
}

}  // namespace
}  // namespace triggerd::config
