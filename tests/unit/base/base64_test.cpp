#include "base/base64.hpp"

#include <gtest/gtest.h>

namespace triggerd {
namespace {

TEST(Base64, IsThatOfTheSpecification) {
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(from_base64("+/+/"), "\xfb\xff\xbf");
}

TEST(Base64, GoesThereAndBack) {
  for (std::size_t size = 0; size < 70; ++size) {
    std::string bytes;
    for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(i * 37 + size);
    EXPECT_EQ(from_base64(base64(bytes)), bytes);
  }
  for (const char* wrong : {"a", "ab=c", "====", "a===", "ab c", "YQ==YQ=="}) {
    EXPECT_FALSE(from_base64(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace triggerd
