#include "base/result.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace triggerd {
namespace {

Result<std::unique_ptr<int>> half(int value) {
  if (value % 2 != 0) return fail("{} is odd; {}", value, "write an even number");
  return std::make_unique<int>(value / 2);
}

Result<> check(int value) {
  if (const auto result = half(value); !result) return tl::make_unexpected(result.error());
  return {};
}

TEST(ResultTest, IsAValueOrAnError) {
  const auto good = half(4);
  ASSERT_TRUE(good);
  EXPECT_EQ(**good, 2);
  const auto bad = half(3);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message, "3 is odd; write an even number");
}

TEST(ResultTest, NeedsNoValue) {
  EXPECT_TRUE(check(2));
  ASSERT_FALSE(check(1));
  EXPECT_EQ(check(1).error().message, "1 is odd; write an even number");
}

}  // namespace
}  // namespace triggerd
