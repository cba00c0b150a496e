#include "support/golden_cases.hpp"

#include <gtest/gtest.h>

#include "support/temp_dir.hpp"

namespace triggerd::test {
namespace {

TEST(GoldenCasesTest, EachFolderIsACaseInTheOrderOfTheNames) {
  const TempDir dir;
  for (const char* file : {"usage/expected", "README.md", "a-b/c/deeper", "a-a/expected"}) {
    dir.write(file, "");
  }
  EXPECT_EQ(golden_names(dir.path()), (std::vector<std::string>{"a-a", "a-b", "usage"}));
  EXPECT_EQ(golden_folders(dir.path()),
            (std::vector<std::filesystem::path>{dir / "a-a", dir / "a-b", dir / "usage"}));
  EXPECT_THROW(golden_names(dir / "none"), std::filesystem::filesystem_error);
}

TEST(GoldenCasesTest, ACaseBecomesAPartOfATestsName) {
  EXPECT_EQ(golden_test_name("toml-invalid.utf_8"), "toml_invalid_utf_8");
  EXPECT_EQ(golden_name_of(testing::TestParamInfo<std::string>("a-b", 0)), "a_b");
}

}  // namespace
}  // namespace triggerd::test
