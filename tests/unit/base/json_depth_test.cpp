#include "base/json_depth.hpp"

#include <gtest/gtest.h>

#include <string>

namespace triggerd {
namespace {

std::string arrays(std::size_t levels) {
  return std::string(levels, '[') + std::string(levels, ']');
}

// How deep `json` is said to be.
std::size_t depth(std::string_view json) {
  std::size_t limit = 0;
  while (json_is_deeper_than(json, limit)) ++limit;
  return limit;
}

TEST(JsonDepthTest, TheLimitItselfIsAllowed) {
  EXPECT_FALSE(json_is_deeper_than(arrays(64), 64));
  EXPECT_TRUE(json_is_deeper_than(arrays(65), 64));
  EXPECT_TRUE(json_is_deeper_than("[]", 0));
}

TEST(JsonDepthTest, ArraysAndObjectsCountAlike) {
  EXPECT_EQ(depth(""), 0U);
  EXPECT_EQ(depth("1"), 0U);
  EXPECT_EQ(depth("{}"), 1U);
  EXPECT_EQ(depth(R"({"a": [{"b": 1}]})"), 3U);
}

TEST(JsonDepthTest, WhatIsClosedCountsNoMore) {
  EXPECT_EQ(depth("[[], {}, [], {}, [[]]]"), 3U);
}

TEST(JsonDepthTest, BracketsInStringsAreText) {
  EXPECT_EQ(depth(R"(["[[{{", {"[": "]]"}])"), 2U);
}

TEST(JsonDepthTest, AnEscapedQuoteEndsNoString) {
  EXPECT_EQ(depth(R"(["\"[[[", "\\\"[["])"), 1U);
  EXPECT_EQ(depth(R"(["\\", [[]]])"), 3U);  // an escaped backslash, so its string ends
}

// It is the parser that refuses these.
TEST(JsonDepthTest, WhatIsNoJsonIsReadToItsEnd) {
  EXPECT_EQ(depth("]]]}}}[{"), 2U);
  EXPECT_EQ(depth("[\"["), 1U);
  EXPECT_EQ(depth("[\"\\"), 1U);
  EXPECT_TRUE(json_is_deeper_than(std::string(1 << 20, '['), 100));
}

}  // namespace
}  // namespace triggerd
