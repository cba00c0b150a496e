// What is in a file, for tests that compare it.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace triggerd::test {

// Empty where there is no such file.
inline std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The same of a file that has to be there: the test fails without it.
inline std::string content_that_is_there(const std::filesystem::path& file) {
  EXPECT_TRUE(std::filesystem::exists(file)) << file << " is missing";
  return content_of(file);
}

}  // namespace triggerd::test
