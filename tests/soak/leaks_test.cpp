// What comes and goes ten thousand times leaves nothing in memory: configurations that are read
// again, and tests of an alias. The runtime as a library, in this process, whose memory is looked
// at.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <string>

#include "base/log.hpp"
#include "config/load.hpp"
#include "control/runtime.hpp"
#include "integration/recorded.hpp"
#include "management/definitions.hpp"
#include "management/test_runs.hpp"
#include "support/mosquitto.hpp"

namespace triggerd::test {
namespace {

constexpr int kTimes = 10'000;
constexpr int kFirst = 1'000;  // until everything has been used once
constexpr std::size_t kFlat = std::size_t{4} << 20;

// Keeps nothing.
class NoLog final : public Log {
 public:
  bool enabled(LogLevel) const override { return true; }
  void write(LogLevel, std::string_view, LogFields, std::string_view) override {}
};

std::size_t memory_in_use() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::size_t kib = 0;
    if (word == "RssAnon:" && status >> kib) return kib << 10;
  }
  return 0;
}

class LeaksTest : public testing::Test {
 protected:
  void write_config(int revision) const {
    std::string toml = runtime_table() + alias_table("a", server_.port());
    for (const char* name : {"one", "two", "three", "four"}) {
      toml += trigger_table(name, "a", fmt::format("\"{}\"", name), dir_ / name, {},
                            fmt::format("mode = \"revision-{}\"", revision));
    }
    std::ofstream(file()) << toml;
  }
  std::filesystem::path file() const { return dir_ / "triggers.toml"; }
  void SetUp() override {
    write_config(0);
    auto loaded = config::load(file(), config::process_environment());
    ASSERT_TRUE(loaded);
    std::filesystem::create_directories(dir_ / "state");
    control::RuntimeOptions options;
    options.config_file = file();
    options.load = [file = file()](const std::optional<std::string>& managed) {
      return config::load(file, config::process_environment(), {}, managed);
    };
    runtime_ = std::make_unique<control::Runtime>(*loaded, dir_ / "state", log_, options);
    ASSERT_TRUE(runtime_->prepare());
    ASSERT_TRUE(runtime_->start());
  }
  void TearDown() override {
    if (runtime_) {
      EXPECT_TRUE(runtime_->stop());
    }
  }
  void expect_flat(const std::function<void(int)>& once) {
    std::size_t first = 0;
    for (int i = 1; i <= kTimes && !HasFailure(); ++i) {
      once(i);
      if (i == kFirst) first = memory_in_use();
      if (i % kFirst == 0) std::cout << i << ": " << (memory_in_use() >> 10) << " KiB\n";
    }
    EXPECT_LT(memory_in_use(), first + kFlat);
  }

  TempDir dir_;
  // What it says is kept in this process too.
  MosquittoServer server_{{.extra_config = "log_type none\n"}};
  // Kept to the end of the process: the MQTT library's threads may still have something to say.
  NoLog& log_ = *new NoLog;
  std::unique_ptr<control::Runtime> runtime_;
};

TEST_F(LeaksTest, TriggersThatAReloadReplaces) {
  expect_flat([this](int i) {
    write_config(i % 2);
    const auto report = runtime_->management().definitions.reload("a test");
    ASSERT_TRUE(report);
    EXPECT_EQ(report->changed.size(), 4U);
  });
}

TEST_F(LeaksTest, TestsOfAnAlias) {
  expect_flat([this](int) {
    EXPECT_TRUE(runtime_->management().test_runs.test_alias("a", kPatience)->ok);
  });
}

}  // namespace
}  // namespace triggerd::test
