#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace triggerd::test {
namespace {
namespace fs = std::filesystem;

TEST(TempDir, HoldsFilesAndGoesWithThem) {
  fs::path path;
  {
    const TempDir dir;
    path = dir.path();
    EXPECT_EQ(dir.write("conf.d/a.toml", std::string("x\0y", 3)), path / "conf.d/a.toml");
    EXPECT_EQ(fs::file_size(path / "conf.d/a.toml"), 3U);
    dir.write("conf.d/a.toml", "");
    EXPECT_EQ(fs::file_size(path / "conf.d/a.toml"), 0U);
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(TempDir, IsOnesOwn) {
  const TempDir one;
  const TempDir other;
  EXPECT_NE(one.path(), other.path());
  EXPECT_EQ(fs::status(one.path()).permissions(), fs::perms(0700));
}

}  // namespace
}  // namespace triggerd::test
