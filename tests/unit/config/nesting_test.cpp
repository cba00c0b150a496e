#include "config/nesting.hpp"

#include <gtest/gtest.h>

#include <string>

namespace triggerd::config {
namespace {

// The depth that `toml` needs.
unsigned depth(std::string_view toml) {
  unsigned limit = 0;
  while (find_deep_nesting(toml, limit)) ++limit;
  return limit;
}

TEST(NestingTest, CountsDotsAndBrackets) {
  EXPECT_EQ(depth(""), 0u);
  EXPECT_EQ(depth("a = 1\nb = 2\n"), 0u);
  EXPECT_EQ(depth("a.b.c = 1\n"), 2u);
  EXPECT_EQ(depth("a = [[1], [2]]\n"), 2u);
  EXPECT_EQ(depth("[a.b.c]\n"), 3u);
  EXPECT_EQ(depth("[[a.b]]\n"), 3u);
}

TEST(NestingTest, AddsAKeyToWhatStandsInItsValue) {
  EXPECT_EQ(depth("a.b = { c.d = [1] }\n"), 4u);
  EXPECT_EQ(depth("a = [{ b.c = 1 }, { d.e = 1 }]\n"), 3u);
  EXPECT_EQ(depth("a = [\n  { b.c.d = 1 },\n  1.5, 2.5, 3.5, 4.5\n]\n"), 4u);
}

TEST(NestingTest, ForgetsWhatHasEnded) {
  EXPECT_EQ(depth("a.b = 1\nc.d = 1\ne.f = 1\n"), 1u);
  EXPECT_EQ(depth("[a.b]\n[c.d]\n"), 2u);
  EXPECT_EQ(depth("a = { b.c = 1, d.e = 1, f.g = 1 }\n"), 2u);
}

TEST(NestingTest, DoesNotLookIntoStringsAndComments) {
  for (const char* toml : {
           "a = \"[[[...\"\n",
           "a = '[[[...'\n",
           "a = \"\"\"[[[\n...\"\"\"\n",
           "a = '''[[[\n...'''\n",
           "a = \"\\\"[[[...\"\n",
           "a = \"\\\\\" # [[[\n",
           "# [[[...\na = 1\n",
           "a = \"\" # [[[\n",
           "a = \"\"\"\"\" [[[ \"\"\"\"\"\n",
           "a = '''''[[[''''' # ...\n",
           "a = \"\"\"\\\"\"\"[[[\"\"\"\n",
           "'a.b.c' = 1\n",
           "\"a.b.c\" = 1\n",
       }) {
    EXPECT_EQ(depth(toml), 0u) << toml;
  }
}

TEST(NestingTest, SeesWhatFollowsAString) {
  for (const char* toml : {
           "a = \"x\"\nb = [1]\n",
           "a = 'x\\'\nb = [1]\n",
           "a = \"\"\nb = [1]\n",
           "a = ''\nb = [1]\n",
           "a = \"\"\"x\"\"\"\nb = [1]\n",
           "a = \"\"\"x\"\"\"\"\"\nb = [1]\n",
           "a = '''x'''''\nb = [1]\n",
           "a = \"\"\"\"\"\"\nb = [1]\n",
           "a = \"\"\"x\\\n\"\"\"\nb = [1]\n",
           "# x\nb = [1]\n",
       }) {
    EXPECT_EQ(depth(toml), 1u) << toml;
  }
}

TEST(NestingTest, SaysWhere) {
  const auto spot = find_deep_nesting("a = 1\n\"\xC3\xA9\" = \"\"\"\n\"\"\" # x\nb = [ [ ] ]\n", 1);
  ASSERT_TRUE(spot);
  EXPECT_EQ(spot->line, 4u);
  EXPECT_EQ(spot->column, 7u);
  const auto behind_two_bytes = find_deep_nesting("\"\xC3\xA9\" = [1]", 0);
  ASSERT_TRUE(behind_two_bytes);
  EXPECT_EQ(behind_two_bytes->column, 7u);
}

TEST(NestingTest, BearsAnything) {
  for (const char* toml :
       {"]", "]]]}}}", "\"", "'''", "\"\"\"\\", "a = \"x", "[", ",", "...", "\\"}) {
    find_deep_nesting(toml, 10);
  }
  EXPECT_TRUE(find_deep_nesting(std::string(100'000, '['), 64));
  EXPECT_TRUE(find_deep_nesting(std::string(100'000, '.'), 64));
  EXPECT_FALSE(find_deep_nesting(std::string(100'000, ']'), 64));
}

}  // namespace
}  // namespace triggerd::config
