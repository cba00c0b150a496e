// The thread and its hints; what counts as a change is in change_detector_test.cpp.
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
  void watch(Millis quiet, Millis poll, const std::vector<std::string>& plugins = {"a"}) {
    std::vector<Watcher::Plugin> watched;
    for (const std::string& plugin : plugins) {
      watched.push_back(
          {.name = plugin, .plugin = plugin, .dirs = {dir_ / "first", dir_ / "second"}});
    }
    auto started = Watcher::start(
        {.plugins = std::move(watched), .quiet = quiet, .incomplete = kNever, .poll = poll},
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
  bool are_told(std::size_t count) {
    return test::eventually([&] { return told().size() >= count; });
  }

  test::TempDir dir_;
  test::CaptureLog log_;
  Mutex mutex_;
  std::vector<std::string> told_ TRIGGERD_GUARDED_BY(mutex_);
  std::unique_ptr<Watcher> watcher_;  // goes first
};

TEST_F(WatcherTest, AnEventIsEnough) {
  write(dir_ / "first" / "a.so", "one");
  write(dir_ / "first" / "b.so", "one");
  watch(Millis(20), kNever, {"a", "b"});
  write(dir_ / "first" / "b.so", "two");
  ASSERT_TRUE(are_told(1));
  EXPECT_EQ(told(), std::vector<std::string>{"b"});
}

TEST_F(WatcherTest, WithoutEventsItLooksAllTheSame) {
  // Neither folder is there, so neither can be watched; and of what a link points to nobody tells.
  watch(Millis(1), Millis(20));
  write(dir_ / "elsewhere" / "a.so", "one");
  fs::create_directory(dir_ / "second");
  fs::create_symlink(dir_ / "elsewhere" / "a.so", dir_ / "second" / "a.so");
  ASSERT_TRUE(are_told(1));
  write(dir_ / "elsewhere" / "a.so", "the second");
  ASSERT_TRUE(are_told(2));
}

}  // namespace
}  // namespace triggerd::plugin
