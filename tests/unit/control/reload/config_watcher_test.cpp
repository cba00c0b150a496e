#include "control/reload/config_watcher.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "support/fake_clock.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::control {
namespace {

class ConfigWatcherTest : public testing::Test {
 protected:
  void look() {
    clock_.advance(ConfigWatcher::kInterval);
    control_.run_due();
  }

  triggerd::test::FakeClock clock_;
  ControlThread control_{clock_};
  std::string files_ = "as they were";
  int reads_ = 0;
  ConfigWatcher watcher_{control_, [this] { return files_; },
                         [this] {
                           ++reads_;
                           watcher_.note_read();
                         }};
};

TEST_F(ConfigWatcherTest, FilesThatStayAsTheyAreAreNotReadAgain) {
  watcher_.start();
  for (int i = 0; i < 5; ++i) look();
  EXPECT_EQ(reads_, 0);
}

TEST_F(ConfigWatcherTest, AChangeIsReadOnceItIsSeenTwiceTheSame) {
  watcher_.start();
  files_ = "half written";
  look();
  files_ = "written";
  look();
  EXPECT_EQ(reads_, 0);
  look();
  EXPECT_EQ(reads_, 1);
  look();
  EXPECT_EQ(reads_, 1);
}

TEST_F(ConfigWatcherTest, WhatSomebodyElseHasReadIsNoChange) {
  watcher_.start();
  files_ = "installed";
  look();
  watcher_.note_read();
  look();
  look();
  EXPECT_EQ(reads_, 0);
}

TEST_F(ConfigWatcherTest, ItEndsWithTheRuntime) {
  watcher_.start();
  files_ = "changed";
  look();
  control_.begin_stop();
  look();
  look();
  EXPECT_EQ(reads_, 0);
}

TEST(FingerprintTest, EveryFileOfTheConfigurationCountsAndNoOther) {
  triggerd::test::TempDir dir;
  const auto file = dir.write("triggers.toml", "");
  const auto packages = dir / "packages";
  const auto now = [&] { return fingerprint(file, packages); };
  const auto differs_after = [&](const char* name, const char* content) {
    const std::string before = now();
    dir.write(name, content);
    return now() != before;
  };
  EXPECT_TRUE(differs_after("triggers.toml", "more of it"));
  EXPECT_TRUE(differs_after("conf.d/a.toml", ""));
  EXPECT_TRUE(differs_after("conf.d/a.toml", "more of it"));
  EXPECT_TRUE(differs_after("packages/p/package.toml", "more of it"));
  EXPECT_TRUE(differs_after("packages/p/triggers.toml", "more of it"));
  EXPECT_TRUE(differs_after("packages/p/local.toml", "more of it"));
  EXPECT_FALSE(differs_after("conf.d/readme.txt", "more of it"));
  EXPECT_FALSE(differs_after("packages/p/readme.txt", "more of it"));
  const std::string before = now();
  std::filesystem::remove(dir / "conf.d/a.toml");
  EXPECT_NE(now(), before);
  EXPECT_EQ(fingerprint({}, packages), "");
}

}  // namespace
}  // namespace triggerd::control
