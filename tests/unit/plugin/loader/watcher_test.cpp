#include "plugin/loader/watcher.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "support/capture_log.hpp"
#include "support/eventually.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::plugin {
namespace {

namespace fs = std::filesystem;

constexpr Millis kNever{3'600'000};

class WatcherTest : public testing::Test {
 protected:
  void watch(Millis quiet, Millis poll, const std::vector<std::string>& plugins = {"a"},
             Millis incomplete = kNever) {
    std::vector<Watcher::Plugin> watched;
    for (const std::string& plugin : plugins) {
      watched.push_back(
          {.name = plugin, .plugin = plugin, .dirs = {dir_ / "first", dir_ / "second"}});
    }
    auto started = Watcher::start(
        {.plugins = std::move(watched), .quiet = quiet, .incomplete = incomplete, .poll = poll},
        [this](const std::string& plugin) {
          MutexLock lock(mutex_);
          told_.push_back(plugin);
        },
        log_);
    ASSERT_TRUE(started);
    watcher_ = std::move(*started);
  }
  void write(const fs::path& file, const std::string& text) const {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  std::vector<std::string> told() {
    MutexLock lock(mutex_);
    return told_;
  }
  bool told_within(std::size_t count, Millis time = test::kPatience) {
    return test::eventually([&] { return told().size() >= count; }, time);
  }

  test::TempDir dir_;
  test::CaptureLog log_;
  Mutex mutex_;
  std::vector<std::string> told_ TRIGGERD_GUARDED_BY(mutex_);
  std::unique_ptr<Watcher> watcher_;  // goes first
};

TEST_F(WatcherTest, WhatIsThereAtTheStartIsKnown) {
  write(dir_ / "first" / "a.so", "one");
  watch(Millis(1), Millis(5));
  EXPECT_FALSE(told_within(1, Millis(100)));
}

TEST_F(WatcherTest, AnEventIsEnough) {
  write(dir_ / "first" / "a.so", "one");
  write(dir_ / "first" / "b.so", "one");
  watch(Millis(20), kNever, {"a", "b"});
  write(dir_ / "first" / "b.so", "two");
  ASSERT_TRUE(told_within(1));
  EXPECT_EQ(told(), std::vector<std::string>{"b"});
}

// As a linker leaves it for a while: `b` is changed later, and told.
TEST_F(WatcherTest, AFileThatIsEmptyOrCutIsNotFinishedYet) {
  const std::string header =
      "\x7f"
      "ELF";
  for (const std::string& unfinished : {std::string(), header, std::string(5'000, '\0')}) {
    write(dir_ / "first" / "a.so", "old");
    write(dir_ / "first" / "b.so", "old");
    watch(Millis(1), Millis(5), {"a", "b"});
    write(dir_ / "first" / "a.so", unfinished);
    for (int i = 0; i < 5; ++i) {
      const std::size_t before = told().size();
      write(dir_ / "first" / "b.so", std::string(static_cast<std::size_t>(i) + 10, 'x'));
      ASSERT_TRUE(told_within(before + 1));
    }
    EXPECT_EQ(told(), std::vector<std::string>(5, "b")) << unfinished.size();
    write(dir_ / "first" / "a.so", "finished");
    ASSERT_TRUE(told_within(6));
    EXPECT_EQ(told().back(), "a");
    watcher_.reset();
    MutexLock lock(mutex_);
    told_.clear();
  }
}

TEST_F(WatcherTest, AFileThatStaysEmptyIsToldAfterAll) {
  write(dir_ / "first" / "a.so", "old");
  watch(Millis(1), Millis(5), {"a"}, Millis(30));
  write(dir_ / "first" / "a.so", "");
  EXPECT_TRUE(told_within(1));
}

TEST_F(WatcherTest, ManyChangesAreToldOnceTheyHaveEnded) {
  write(dir_ / "first" / "a.so", "one");
  watch(Millis(300), Millis(10));
  for (int i = 0; i < 20; ++i) {
    write(dir_ / "first" / "a.so", std::string(static_cast<std::size_t>(i) + 10, 'x'));
    std::this_thread::sleep_for(Millis(5));
  }
  ASSERT_TRUE(told_within(1));
  EXPECT_FALSE(told_within(2, Millis(400)));
}

TEST_F(WatcherTest, WithoutEventsItLooksAllTheSame) {
  // Neither folder is there, so neither can be watched; and of what a link points to nobody tells.
  watch(Millis(1), Millis(20));
  write(dir_ / "elsewhere" / "a.so", "one");
  fs::create_directory(dir_ / "second");
  fs::create_symlink(dir_ / "elsewhere" / "a.so", dir_ / "second" / "a.so");
  ASSERT_TRUE(told_within(1));
  write(dir_ / "elsewhere" / "a.so", "the second");
  ASSERT_TRUE(told_within(2));
}

TEST_F(WatcherTest, AFileThatGoesIsNotToldUntilItComesBack) {
  write(dir_ / "first" / "a.so", "one");
  watch(Millis(1), Millis(5));
  fs::remove(dir_ / "first" / "a.so");
  EXPECT_FALSE(told_within(1, Millis(100)));
  write(dir_ / "first" / "a.so", "two");
  EXPECT_TRUE(told_within(1));
}

TEST_F(WatcherTest, TheFirstFolderWinsAsItDoesAtTheStart) {
  write(dir_ / "second" / "a.so", "one");
  fs::create_directory(dir_ / "first");
  watch(Millis(1), kNever);
  write(dir_ / "first" / "a.so", "another");
  EXPECT_TRUE(told_within(1));
}

}  // namespace
}  // namespace triggerd::plugin
