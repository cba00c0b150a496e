#include "plugin/loader/change_detector.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "support/fake_clock.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::plugin {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

constexpr Millis kQuiet{200};
constexpr Millis kIncomplete{10'000};

class ChangeDetectorTest : public testing::Test {
 protected:
  ChangeDetectorTest() {
    for (const char* folder : {"first", "second"}) fs::create_directory(dir_ / folder);
  }
  ChangeDetector detector(const Names& plugins = {"a"}) {
    std::vector<ChangeDetector::Plugin> watched;
    for (const std::string& plugin : plugins) {
      watched.push_back(
          {.name = "alias-" + plugin, .plugin = plugin, .dirs = {dir_ / "first", dir_ / "second"}});
    }
    return {std::move(watched), kQuiet, kIncomplete, clock_};
  }
  // Its size, which is another one each time, tells it from what was there.
  void write(const char* folder, const char* name, std::string text = "no library") {
    text += std::string(++written_, 'x');
    replace(folder, name, text);
  }
  void replace(const char* folder, const char* name, const std::string& text) {
    std::ofstream(dir_ / folder / (std::string(name) + ".so")) << text;
  }
  void remove(const char* folder, const char* name) {
    fs::remove(dir_ / folder / (std::string(name) + ".so"));
  }

  test::TempDir dir_;
  test::FakeClock clock_;
  std::size_t written_ = 0;
};

TEST_F(ChangeDetectorTest, WhatIsThereAtTheStartIsKnown) {
  write("first", "a");
  ChangeDetector files = detector();
  clock_.advance(kIncomplete);
  const auto found = files.look();
  EXPECT_TRUE(found.changed.empty());
  EXPECT_EQ(found.next, Monotonic::max());
}

TEST_F(ChangeDetectorTest, AChangeIsReportedOnceItHasBeenQuiet) {
  write("first", "a");
  write("first", "b");
  ChangeDetector files = detector({"a", "b"});
  write("first", "b");
  auto found = files.look();
  EXPECT_TRUE(found.changed.empty());
  EXPECT_EQ(found.next, clock_.now() + kQuiet);
  clock_.advance(kQuiet - Millis(1));
  EXPECT_TRUE(files.look().changed.empty());
  clock_.advance(Millis(1));
  found = files.look();
  EXPECT_EQ(found.changed, Names{"alias-b"});
  EXPECT_EQ(found.next, Monotonic::max());
  EXPECT_TRUE(files.look().changed.empty()) << "once";
}

TEST_F(ChangeDetectorTest, EachWriteBeginsTheQuietAnew) {
  write("first", "a");
  ChangeDetector files = detector();
  for (int i = 0; i < 5; ++i) {
    write("first", "a");
    EXPECT_TRUE(files.look().changed.empty());
    clock_.advance(kQuiet - Millis(1));
  }
  EXPECT_TRUE(files.look().changed.empty());
  clock_.advance(Millis(1));
  EXPECT_EQ(files.look().changed, Names{"alias-a"});
}

// As a linker leaves it for a while.
TEST_F(ChangeDetectorTest, AFileThatIsEmptyOrCutGetsLonger) {
  const std::string header =
      "\x7f"
      "ELF";
  for (const std::string& unfinished : {std::string(), header, std::string(5'000, '\0')}) {
    write("first", "a");
    write("first", "b");
    ChangeDetector files = detector({"a", "b"});
    replace("first", "a", unfinished);
    write("first", "b");
    static_cast<void>(files.look());
    const Monotonic given_up = clock_.now() + kIncomplete;
    clock_.advance(kQuiet);
    const auto found = files.look();
    EXPECT_EQ(found.changed, Names{"alias-b"}) << unfinished.size();
    EXPECT_EQ(found.next, given_up);
    clock_.advance(kIncomplete - kQuiet - Millis(1));
    EXPECT_TRUE(files.look().changed.empty());
    clock_.advance(Millis(1));
    EXPECT_EQ(files.look().changed, Names{"alias-a"}) << "it stays so, and is reported after all";
  }
}

TEST_F(ChangeDetectorTest, AFileThatIsFinishedNeedsNoMoreThanTheQuiet) {
  write("first", "a");
  ChangeDetector files = detector();
  replace("first", "a", "");
  static_cast<void>(files.look());
  clock_.advance(kQuiet);
  write("first", "a");
  static_cast<void>(files.look());
  clock_.advance(kQuiet);
  EXPECT_EQ(files.look().changed, Names{"alias-a"});
}

TEST_F(ChangeDetectorTest, AFileThatGoesIsNotReportedUntilItComesBack) {
  write("first", "a");
  ChangeDetector files = detector();
  remove("first", "a");
  static_cast<void>(files.look());
  clock_.advance(kIncomplete);
  const auto found = files.look();
  EXPECT_TRUE(found.changed.empty());
  EXPECT_EQ(found.next, Monotonic::max());
  write("first", "a");
  static_cast<void>(files.look());
  clock_.advance(kQuiet);
  EXPECT_EQ(files.look().changed, Names{"alias-a"});
}

TEST_F(ChangeDetectorTest, AnotherFileOfTheNameInAnEarlierFolderIsAChange) {
  write("second", "a");
  ChangeDetector files = detector();
  write("first", "a");
  static_cast<void>(files.look());
  clock_.advance(kQuiet);
  EXPECT_EQ(files.look().changed, Names{"alias-a"});
  write("second", "a");
  static_cast<void>(files.look());
  clock_.advance(kQuiet);
  EXPECT_TRUE(files.look().changed.empty()) << "nobody loads that one";
}

}  // namespace
}  // namespace triggerd::plugin
