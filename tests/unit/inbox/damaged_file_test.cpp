// A file that is damaged is set aside where its owner says so, and is never deleted.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "inbox/inbox.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::inbox {
namespace {

class DamagedFileTest : public testing::Test {
 protected:
  std::filesystem::path file() const { return dir_ / "inbox.db"; }

  // A valid one with a few hundred pages.
  void make() const {
    const auto inbox = Inbox::open(file()).value();
    for (int i = 0; i < 50; ++i) {
      ASSERT_TRUE(inbox->dead_letters().add({.message_id = std::to_string(i),
                                             .trigger = "alarms",
                                             .payload = std::string(9000, 'x')}));
    }
  }
  void overwrite(std::size_t at, std::size_t size) const {
    std::fstream stream(file(), std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(at));
    stream << std::string(size, '\xa5');
    ASSERT_TRUE(stream.flush());
  }
  static std::string content(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  void expect_error_without_set_aside() const {
    const std::string before = content(file());
    const auto inbox = Inbox::open(file());
    ASSERT_FALSE(inbox);
    EXPECT_NE(inbox.error().message.find(file().string()), std::string::npos);
    EXPECT_EQ(content(file()), before);
  }

  void expect_set_aside() const {
    const std::string before = content(file());
    std::filesystem::path aside;
    std::string reason;
    int told = 0;
    const auto inbox = Inbox::open(
        file(), {.set_aside = [&](const std::filesystem::path& where, const std::string& why) {
          aside = where;
          reason = why;
          ++told;
        }});
    ASSERT_TRUE(inbox) << inbox.error().message;
    EXPECT_EQ(told, 1);
    EXPECT_EQ(aside.parent_path(), file().parent_path());
    EXPECT_NE(aside, file());
    EXPECT_EQ(content(aside), before);
    EXPECT_NE(reason.find(file().string()), std::string::npos) << reason;
    EXPECT_TRUE((*inbox)->dead_letters().newest("", 1).value().empty());
    EXPECT_EQ((*inbox)->sessions().client_id("plant", "first").value(), "first");
  }

  test::TempDir dir_;
};

TEST_F(DamagedFileTest, AWholeFileIsLeftAlone) {
  make();
  const auto inbox = Inbox::open(
      file(), {.set_aside = [](const auto&, const std::string& why) { ADD_FAILURE() << why; }});
  ASSERT_TRUE(inbox);
  EXPECT_EQ((*inbox)->dead_letters().newest("", 1000).value().size(), 50U);
}

TEST_F(DamagedFileTest, Garbage) {
  std::ofstream(file()) << std::string(8192, 'x');
  expect_error_without_set_aside();
  expect_set_aside();
}

TEST_F(DamagedFileTest, BytesInTheMiddle) {
  make();
  const std::size_t size = std::filesystem::file_size(file());
  // Pages of b-trees and of payloads, whatever lies there.
  overwrite(4096, 8 * 4096);
  overwrite(size / 2, 4 * 4096);
  expect_error_without_set_aside();
  expect_set_aside();
}

// The file's header is whole, what it says of the tables is not.
TEST_F(DamagedFileTest, TheFirstPage) {
  make();
  overwrite(100, 4096 - 100);
  expect_error_without_set_aside();
  expect_set_aside();
}

// The page is whole, and one of its CREATE statements is not.
TEST_F(DamagedFileTest, TheTextOfATable) {
  make();
  const std::size_t at = content(file()).find("CREATE TABLE session");
  ASSERT_NE(at, std::string::npos);
  overwrite(at, 12);
  expect_error_without_set_aside();
  expect_set_aside();
}

TEST_F(DamagedFileTest, TheEndIsMissing) {
  make();
  std::filesystem::resize_file(file(), std::filesystem::file_size(file()) / 2);
  expect_error_without_set_aside();
  expect_set_aside();
}

// Not everything that fails to open is damaged.
TEST_F(DamagedFileTest, AFileThatCannotBeOpenedForAnotherReasonStays) {
  std::filesystem::create_directory(file());
  const auto inbox = Inbox::open(
      file(), {.set_aside = [](const auto&, const std::string& why) { ADD_FAILURE() << why; }});
  EXPECT_FALSE(inbox);
  EXPECT_TRUE(std::filesystem::is_directory(file()));
}

}  // namespace
}  // namespace triggerd::inbox
