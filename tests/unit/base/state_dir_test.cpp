#include "base/state_dir.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <optional>

#include "support/temp_dir.hpp"

namespace triggerd {
namespace {

mode_t mode_of(const std::filesystem::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777;
}

TEST(StateDirTest, IsMadeForItsOwnerAlone) {
  const test::TempDir folder;
  const auto state = StateDir::open(folder / "a/b/var");
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_EQ(state->path(), folder / "a/b/var");
  EXPECT_EQ(mode_of(folder / "a/b/var"), 0700u);
  EXPECT_EQ(mode_of(folder / "a/b/var/lock"), 0600u);
}

TEST(StateDirTest, IsHeldByOneAtATime) {
  const test::TempDir folder;
  std::optional<StateDir> first = StateDir::open(folder / "var").value();
  const auto second = StateDir::open(folder / "var");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().failure, StateDir::Failure::locked);
  EXPECT_NE(second.error().message.find((folder / "var").string()), std::string::npos);
  EXPECT_TRUE(StateDir::open(folder / "other"));
  first.reset();
  EXPECT_TRUE(StateDir::open(folder / "var"));
}

TEST(StateDirTest, IsHeldByWhereItWasMovedTo) {
  const test::TempDir folder;
  std::optional<StateDir> first = StateDir::open(folder / "var").value();
  std::optional<StateDir> moved = std::move(first);
  first.reset();
  EXPECT_FALSE(StateDir::open(folder / "var"));
  moved.reset();
  EXPECT_TRUE(StateDir::open(folder / "var"));
}

TEST(StateDirTest, SaysWhyItIsUnusable) {
  const test::TempDir folder;
  folder.write("file", "");
  for (const char* path : {"file", "file/below"}) {
    const auto state = StateDir::open(folder / path);
    ASSERT_FALSE(state) << path;
    EXPECT_EQ(state.error().failure, StateDir::Failure::unusable);
    EXPECT_NE(state.error().message.find("Not a directory"), std::string::npos)
        << state.error().message;
    EXPECT_NE(state.error().message.find((folder / path).string()), std::string::npos);
  }
}

TEST(StateDirTest, DoesNotFollowALinkInPlaceOfItsLock) {
  const test::TempDir folder;
  const auto target = folder.write("target", "");
  std::filesystem::create_directory(folder / "var");
  std::filesystem::create_symlink(target, folder / "var/lock");
  const auto state = StateDir::open(folder / "var");
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().failure, StateDir::Failure::unusable);
}

}  // namespace
}  // namespace triggerd
