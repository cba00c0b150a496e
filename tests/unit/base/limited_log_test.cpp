#include "base/limited_log.hpp"

#include <gtest/gtest.h>
#include <pthread.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.hpp"
#include "support/eventually.hpp"
#include "support/fake_clock.hpp"

namespace triggerd {
namespace {

// What was written: "LEVEL EVENT [key=value ...] TEXT".
class Written final : public Log {
 public:
  explicit Written(std::vector<std::string>& lines) : lines_(lines) {}
  bool enabled(LogLevel level) const override { return level >= LogLevel::debug; }
  void write(LogLevel level, std::string_view event, LogFields fields,
             std::string_view text) override {
    std::string line = fmt::format("{} {} [", to_string(level), event);
    for (const LogField& field : fields) line += fmt::format(" {}={}", field.key, field.value);
    const MutexLock lock(mutex_);
    lines_.push_back(line + " ] " + std::string(text));
  }

 private:
  std::vector<std::string>& lines_;
  Mutex mutex_;
};

class LimitedLogTest : public testing::Test {
 protected:
  void say(int number, const std::string& trigger = "t") {
    log_->warn("message.retry", {{"trigger", trigger}, {"message", std::to_string(number)}},
               "no {}", number);
  }
  // The lines since the last call.
  std::vector<std::string> lines() { return std::exchange(lines_, {}); }

  test::FakeClock clock_;
  std::vector<std::string> lines_;
  std::unique_ptr<LimitedLog> log_ = std::make_unique<LimitedLog>(
      std::make_unique<Written>(lines_), clock_,
      LogLimits{.at_once = 3, .interval = Millis(1000), .max_kinds = 4});
};

TEST_F(LimitedLogTest, TheFirstFewComeAtOnceAndThenASum) {
  for (int i = 1; i <= 10; ++i) say(i);
  EXPECT_EQ(lines().size(), 3u);
  clock_.advance(Millis(999));
  log_->say_due();
  EXPECT_TRUE(lines().empty());
  clock_.advance(Millis(1));
  log_->say_due();
  EXPECT_EQ(lines(), (std::vector<std::string>{
                         "warn message.retry [ trigger=t repeated=7 ] 7 more like this within 1s; "
                         "the last one: no 10"}));
}

TEST_F(LimitedLogTest, WhatGoesOnIsOneLineAnInterval) {
  for (int i = 1; i <= 10; ++i) say(i);
  lines();
  for (int interval = 0; interval < 3; ++interval) {
    clock_.advance(Millis(1000));
    for (int i = 0; i < 100; ++i) say(i);  // the first of them says what is due
    EXPECT_EQ(lines().size(), 1u) << interval;
  }
}

TEST_F(LimitedLogTest, AfterAQuietIntervalItBeginsAgain) {
  for (int i = 1; i <= 4; ++i) say(i);
  clock_.advance(Millis(1000));
  log_->say_due();
  lines();
  clock_.advance(Millis(1000));
  for (int i = 1; i <= 3; ++i) say(i);
  EXPECT_EQ(lines().size(), 3u);
}

TEST_F(LimitedLogTest, AFewInEachIntervalAreNeverHeldBack) {
  for (int interval = 0; interval < 5; ++interval) {
    for (int i = 0; i < 3; ++i) say(i);
    EXPECT_EQ(lines().size(), 3u);
    clock_.advance(Millis(1000));
  }
}

TEST_F(LimitedLogTest, AnotherTriggerEventOrLevelIsAnotherKind) {
  for (int i = 1; i <= 4; ++i) say(i);
  lines();
  say(1, "u");
  log_->error("message.retry", {{"trigger", "t"}}, "worse");
  log_->warn("message.dead_letter", {{"trigger", "t"}}, "dead");
  EXPECT_EQ(lines().size(), 3u);
}

TEST_F(LimitedLogTest, WhatNamesTheMessageMakesNoKind) {
  for (int i = 1; i <= 4; ++i) {
    log_->warn("message.retry",
               {{"message", std::to_string(i)},
                {"attempts", std::to_string(i)},
                {"trace_id", std::to_string(i)}},
               "no");
  }
  EXPECT_EQ(lines().size(), 3u);
}

TEST_F(LimitedLogTest, DebugLinesAreAllWritten) {
  for (int i = 0; i < 10; ++i) log_->debug("message.ok", {}, "x");
  EXPECT_EQ(lines().size(), 10u);
}

TEST_F(LimitedLogTest, AServiceSaysWhatItLikesButNotOneWarningForEver) {
  for (int i = 0; i < 10; ++i) log_->info("plugin.log", {{"plugin", "p"}}, "the same");
  EXPECT_EQ(lines().size(), 10u);
  for (int i = 0; i < 10; ++i) log_->warn("plugin.log", {{"plugin", "p"}}, "the same");
  EXPECT_EQ(lines().size(), 3u);
  log_->warn("plugin.log", {{"plugin", "p"}}, "another");
  EXPECT_EQ(lines().size(), 1u);
}

TEST_F(LimitedLogTest, WhatItKeepsInMindHasAnEnd) {
  for (int round = 0; round < 10; ++round) {
    for (int kind = 0; kind < 4; ++kind) say(0, std::to_string(kind));
  }
  lines();
  for (int i = 0; i < 10; ++i) say(i, "one too many");
  EXPECT_EQ(lines().size(), 10u) << "nothing is held back that is not counted";
  clock_.advance(Millis(2000));
  log_->say_due();
  lines();
  clock_.advance(Millis(2000));
  for (int i = 0; i < 10; ++i) say(i, "has room now");
  EXPECT_EQ(lines().size(), 3u);
}

TEST_F(LimitedLogTest, TheEndSaysWhatIsStillHeldBack) {
  for (int i = 1; i <= 5; ++i) say(i);
  log_.reset();
  ASSERT_EQ(lines_.size(), 4u);
  EXPECT_NE(lines_.back().find("repeated=2"), std::string::npos);
}

TEST(LimitedLogThreadTest, NothingIsLostOfManyThreadsAndItsThreadSaysIt) {
  std::vector<std::string> lines;
  {
    LimitedLog log(std::make_unique<Written>(lines), system_clock(),
                   {.at_once = 5, .interval = Millis(1)});
    log.say_in_time();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&log] {
        for (int i = 0; i < 2000; ++i) log.warn("x", {{"trigger", "t"}}, "no");
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  std::size_t said = 0;
  for (const std::string& line : lines) {
    const auto at = line.find("repeated=");
    said += at == std::string::npos ? 1 : std::stoul(line.substr(at + 9));
  }
  EXPECT_EQ(said, 8000u);
}

TEST(LimitedLogThreadTest, ItsThreadHasANameOfItsOwn) {
  const auto names = [] {
    std::multiset<std::string> found;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::string name;
      if (std::getline(std::ifstream(task.path() / "comm"), name)) found.insert(name);
    }
    return found;
  };
  std::vector<std::string> lines;
  LimitedLog log(std::make_unique<Written>(lines), system_clock(),
                 {.at_once = 1, .interval = Millis(60'000)});
  log.say_in_time();
  std::thread([&log] {
    pthread_setname_np(pthread_self(), "w:busy");
    for (int i = 0; i < 10; ++i) log.warn("x", {}, "no");
  }).join();
  EXPECT_TRUE(test::eventually([&] { return names().contains("log"); }));
  EXPECT_TRUE(test::eventually([&] { return !names().contains("w:busy"); }));
}

}  // namespace
}  // namespace triggerd
