#include "base/file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "support/temp_dir.hpp"

namespace triggerd {
namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) != -1;
}

TEST(UniqueFdTest, ClosesWhatItOwns) {
  int number = -1;
  {
    UniqueFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(fd);
    number = fd.get();
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(UniqueFdTest, MovesWhatItOwns) {
  UniqueFd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  UniqueFd second(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int first_number = first.get();
  const int second_number = second.get();
  first = std::move(second);
  EXPECT_FALSE(is_open(first_number));
  EXPECT_EQ(first.get(), second_number);
  UniqueFd third(std::move(first));
  EXPECT_TRUE(is_open(second_number));
  third.reset();
  EXPECT_FALSE(third);
  EXPECT_FALSE(is_open(second_number));
}

TEST(ReadFileTest, ReadsAllOfIt) {
  const test::TempDir folder;
  const std::string content = std::string(40'000, 'x') + std::string("\0\n", 2);
  EXPECT_EQ(read_file(folder.write("file", content), 100'000).value(), content);
  EXPECT_EQ(read_file(folder.write("empty", ""), 0).value(), "");
}

TEST(ReadFileTest, KeepsToItsLimit) {
  const test::TempDir folder;
  const auto file = folder.write("file", std::string(100, 'x'));
  EXPECT_TRUE(read_file(file, 100));
  const auto over = read_file(file, 99);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().message, "cannot read " + file.string() + ": larger than 99 bytes");
}

TEST(ReadFileTest, SaysWhyNot) {
  const test::TempDir folder;
  EXPECT_EQ(read_file(folder / "none", 1).error().message,
            "cannot open " + (folder / "none").string() + ": No such file or directory");
  EXPECT_EQ(read_file(folder.path(), 1).error().message,
            "cannot read " + folder.path().string() + ": not a regular file");
}

TEST(ReadFileTest, DoesNotWaitForAWriter) {
  const test::TempDir folder;
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  const auto content = read_file(folder / "fifo", 1);
  ASSERT_FALSE(content);
  EXPECT_NE(content.error().message.find("not a regular file"), std::string::npos);
}

class ReplaceFileTest : public testing::Test {
 protected:
  std::filesystem::path file() const { return folder_ / "file"; }
  std::string text() const { return read_file(file(), 1'000).value(); }
  bool is_anything_left() const { return std::filesystem::exists(folder_ / "file.new"); }
  std::filesystem::perms mode() const { return std::filesystem::status(file()).permissions(); }

  const test::TempDir folder_;
};

TEST_F(ReplaceFileTest, PutsANewFileInThePlaceOfTheOldOne) {
  folder_.write("file", "before, and longer");
  for (const bool to_disk : {false, true}) {
    const auto before = identity_of_file(file());
    ASSERT_TRUE(replace_private_file(file(), "after", {.to_disk = to_disk}));
    EXPECT_EQ(text(), "after");
    EXPECT_NE(identity_of_file(file()), before);
    EXPECT_FALSE(is_anything_left());
  }
}

TEST_F(ReplaceFileTest, IsForItsOwnerAloneWhateverWasLeftThere) {
  std::filesystem::permissions(folder_.write("file.new", "left"), std::filesystem::perms::all);
  const mode_t before = ::umask(0);
  ASSERT_TRUE(replace_private_file(file(), "mine"));
  ::umask(before);
  EXPECT_EQ(mode(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(text(), "mine");
}

TEST_F(ReplaceFileTest, DoesNotFollowALinkThatIsInItsWay) {
  const auto precious = folder_.write("precious", "precious");
  std::filesystem::create_symlink(precious, folder_ / "file.new");
  ASSERT_TRUE(replace_private_file(file(), "mine"));
  EXPECT_EQ(read_file(precious, 100).value(), "precious");
}

TEST_F(ReplaceFileTest, CanBeAppendedTo) {
  const auto fd = replace_private_file(file(), "one ");
  ASSERT_TRUE(fd);
  ASSERT_TRUE(write_all(fd->get(), "two", file()));
  EXPECT_EQ(text(), "one two");
}

TEST_F(ReplaceFileTest, WithAnErrorTheOldOneStays) {
  folder_.write("file", "before");
  const auto refused = replace_private_file(
      file(), "after", {.prepare = [](int) -> Result<> { return fail("not prepared"); }});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "not prepared");
  EXPECT_EQ(text(), "before");
  EXPECT_FALSE(is_anything_left());
  std::filesystem::create_directory(folder_ / "file.new");
  EXPECT_FALSE(replace_private_file(file(), "after"));
  EXPECT_EQ(text(), "before");
}

TEST(ErrnoTextTest, IsInWords) {
  EXPECT_EQ(errno_text(ENOENT), "No such file or directory");
}

}  // namespace
}  // namespace triggerd
