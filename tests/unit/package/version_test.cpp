#include "package/version.hpp"

#include <gtest/gtest.h>

namespace triggerd::package {
namespace {

bool accepts(std::string_view range, std::string_view version) {
  return parse_version_range(range).value().accepts(parse_version(version).value());
}

TEST(VersionTest, IsOneToThreeNumbersInTheirOrder) {
  EXPECT_EQ(parse_version("1.4").value(), parse_version("1.4.0").value());
  EXPECT_LT(parse_version("1.9").value(), parse_version("1.10").value());
  EXPECT_LT(parse_version("1.99.99").value(), parse_version("2").value());
  for (const char* wrong :
       {"", "1.", ".1", "1.2.3.4", "v1", "1.2-rc1", "01", "1 ", "-1", "99999999999", "1..2"}) {
    EXPECT_FALSE(parse_version(wrong)) << wrong;
  }
}

TEST(VersionTest, ARangeAcceptsWhatEveryPartDoes) {
  EXPECT_TRUE(accepts(">=1.2, <2", "1.2"));
  EXPECT_TRUE(accepts(">=1.2, <2", "1.99"));
  EXPECT_FALSE(accepts(">=1.2, <2", "1.1.9"));
  EXPECT_FALSE(accepts(">=1.2, <2", "2"));
  EXPECT_TRUE(accepts("=1.2", "1.2.0"));
  EXPECT_FALSE(accepts("=1.2", "1.2.1"));
  EXPECT_TRUE(accepts(" > 1 ,<= 3", "3"));
  EXPECT_FALSE(accepts(">1", "1"));
  EXPECT_TRUE(VersionRange().accepts(Version{}));
  for (const char* wrong : {"", "1.2", "~1", ">=", ">=1,", ",", "=>1", ">=1 <2"}) {
    EXPECT_FALSE(parse_version_range(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace triggerd::package
