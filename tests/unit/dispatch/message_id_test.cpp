#include "dispatch/message_id.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>

namespace triggerd::dispatch {
namespace {

constexpr std::size_t kLength = 15;
constexpr std::size_t kPrefix = 9;

TEST(MessageIds, OneRunCountsUpBehindOnePrefix) {
  MessageIds ids;
  std::string last = ids.next();
  for (int i = 0; i < 5'000; ++i) {  // more than two digits hold
    const std::string next = ids.next();
    ASSERT_EQ(next.size(), kLength);
    ASSERT_TRUE(std::all_of(next.begin(), next.end(), [](unsigned char c) {
      return std::isalnum(c) != 0;
    })) << next;
    ASSERT_EQ(next.substr(0, kPrefix), last.substr(0, kPrefix));
    ASSERT_GT(next, last);
    last = next;
  }
}

TEST(MessageIds, TwoRunsHaveDifferentPrefixes) {
  std::set<std::string> prefixes;
  for (int i = 0; i < 100; ++i) prefixes.insert(MessageIds().next().substr(0, kPrefix));
  EXPECT_EQ(prefixes.size(), 100U);
}

}  // namespace
}  // namespace triggerd::dispatch
