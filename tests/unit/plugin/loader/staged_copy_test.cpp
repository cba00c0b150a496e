#include "plugin/loader/staged_copy.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <iterator>

#include "base/file.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::plugin {
namespace {

class StagedCopyTest : public testing::Test {
 protected:
  StagedCopyTest() { std::filesystem::create_directory(stage()); }
  std::filesystem::path stage() const { return dir_ / "stage"; }
  std::size_t files_in_stage() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(stage()), {}));
  }
  std::string error(const std::filesystem::path& file) const {
    const auto copy = StagedCopy::make(file, stage(), "p", 1);
    return copy ? "no error" : copy.error().message;
  }

  test::TempDir dir_;
};

TEST_F(StagedCopyTest, HoldsTheSameBytesUnderAPathOfItsOwn) {
  const std::string content = std::string(200'000, 'x') + '\0' + "end";
  const auto file = dir_.write("p.so", content);
  auto copy = StagedCopy::make(file, stage(), "p", 3);
  ASSERT_TRUE(copy) << copy.error().message;
  EXPECT_EQ(read_file(copy->path(), 1 << 20).value(), content);
  EXPECT_EQ(copy->path(), stage() / ("p.3." + copy->sha256().substr(0, 12) + ".so"));
  EXPECT_TRUE(copy->path().is_absolute());
  struct stat status {};
  ASSERT_EQ(::stat(copy->path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0500u);
}

TEST_F(StagedCopyTest, KnowsItsContentByHash) {
  const auto copy = StagedCopy::make(dir_.write("p.so", "abc"), stage(), "p", 1);
  ASSERT_TRUE(copy);
  // FIPS 180-2, appendix B.1.
  EXPECT_EQ(copy->sha256(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(StagedCopyTest, IsGoneWithItsObject) {
  {
    auto copy = StagedCopy::make(dir_.write("p.so", "abc"), stage(), "p", 1);
    ASSERT_TRUE(copy);
    const StagedCopy moved = std::move(*copy);
    EXPECT_EQ(files_in_stage(), 1u);
    EXPECT_TRUE(std::filesystem::exists(moved.path()));
  }
  EXPECT_EQ(files_in_stage(), 0u);
}

TEST_F(StagedCopyTest, TakesThePlaceOfWhatAnEarlierRunLeft) {
  const auto file = dir_.write("p.so", "abc");
  std::filesystem::path path = StagedCopy::make(file, stage(), "p", 1)->path();
  std::ofstream(path) << "left behind";
  const auto copy = StagedCopy::make(file, stage(), "p", 1);
  ASSERT_TRUE(copy) << copy.error().message;
  EXPECT_EQ(copy->path(), path);
  EXPECT_EQ(read_file(path, 100).value(), "abc");
}

TEST_F(StagedCopyTest, SaysWhyItCannotRead) {
  EXPECT_EQ(error(dir_ / "absent.so"), "cannot be opened: No such file or directory");
  EXPECT_EQ(error(dir_.path()), "is not a regular file");
  ASSERT_EQ(::mkfifo((dir_ / "pipe.so").c_str(), 0600), 0);
  EXPECT_EQ(error(dir_ / "pipe.so"), "is not a regular file") << "and does not wait for a writer";
  const auto huge = dir_.write("huge.so", "x");
  std::filesystem::resize_file(huge, (1ull << 30) + 1);
  EXPECT_EQ(error(huge), "has 1073741825 bytes; a plugin may have at most 1073741824");
  EXPECT_EQ(files_in_stage(), 0u);
}

TEST_F(StagedCopyTest, SaysWhyItCannotWrite) {
  const auto copy = StagedCopy::make(dir_.write("p.so", "abc"), dir_ / "absent", "p", 1);
  ASSERT_FALSE(copy);
  EXPECT_EQ(copy.error().message,
            "cannot be copied to " + (dir_ / "absent").string() + ": No such file or directory");
}

TEST_F(StagedCopyTest, ReadsAgainWhatChangesMeanwhile) {
  const auto file = dir_.write("p.so", "old");
  int attempts = 0;
  const auto copy = StagedCopy::make(file, stage(), "p", 1, [&] {
    if (++attempts > 1) return;
    // As long as before: only the times tell. They are set, since a clock tick may be coarse.
    dir_.write("p.so", "new");
    std::filesystem::last_write_time(
        file, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  });
  ASSERT_TRUE(copy) << copy.error().message;
  EXPECT_EQ(attempts, 2);
  EXPECT_EQ(read_file(copy->path(), 100).value(), "new");
}

TEST_F(StagedCopyTest, RefusesAFileThatKeepsChanging) {
  const auto file = dir_.write("p.so", "x");
  const auto copy = StagedCopy::make(file, stage(), "p", 1, [&] {
    std::filesystem::resize_file(file, std::filesystem::file_size(file) + 1);
  });
  ASSERT_FALSE(copy);
  EXPECT_EQ(copy.error().message,
            "keeps changing while it is read; load it again once it is written");
  EXPECT_EQ(files_in_stage(), 0u);
}

// As a file of /proc does: its length is 0 and there is more to read.
TEST_F(StagedCopyTest, RefusesAFileThatIsLongerThanItSays) {
  EXPECT_EQ(error("/proc/version"),
            "keeps changing while it is read; load it again once it is written");
}

}  // namespace
}  // namespace triggerd::plugin
