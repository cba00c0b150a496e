// The file of messages that have ended the runtime, where it is not what it should be.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <set>
#include <string>

#include "base/file.hpp"
#include "dispatch/deaths.hpp"
#include "support/capture_log.hpp"
#include "support/fake_clock.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::dispatch {
namespace {

using Seconds = std::chrono::seconds;

class DeathsFileTest : public testing::Test {
 protected:
  std::filesystem::path file() const { return dir_ / "crashes"; }
  // As a run left it that knew of these.
  void left(const std::vector<plugin::DeathLine>& deaths) const {
    std::ofstream out(file());
    out << plugin::first_line({1, 2});
    for (const plugin::DeathLine& death : deaths) out << plugin::line_of(death);
  }
  // What the file has now.
  std::set<std::uint64_t> identities() const {
    std::set<std::uint64_t> found;
    std::ifstream in(file());
    for (std::string line; std::getline(in, line);) {
      if (const auto death = plugin::read_death(line)) found.insert(death->identity);
    }
    return found;
  }
  plugin::DeathLine death(std::uint64_t identity, Seconds ago) const {
    return {.when = std::chrono::floor<Seconds>(clock_.wall().time_since_epoch() - ago).count(),
            .signal = "SIGSEGV",
            .trigger = "t",
            .identity = identity,
            .deaths = 1};
  }
  std::size_t warnings() const { return log_.lines("crash_record.failed").size(); }

  triggerd::test::TempDir dir_;
  triggerd::test::CaptureLog log_;
  triggerd::test::FakeClock clock_;
};

TEST_F(DeathsFileTest, WhatIsNoFileIsToldOfAndLeavesNoRecord) {
  std::filesystem::create_directory(file());
  const Deaths deaths(file(), log_, clock_);
  EXPECT_EQ(warnings(), 2U) << "it can be neither read nor written";
  EXPECT_LT(deaths.record(), 0);
  EXPECT_FALSE(deaths.last_run_crashed());
}

TEST_F(DeathsFileTest, OneThatIsTooLargeIsToldOfAndWrittenAnew) {
  left({death(7, Seconds(0))});
  std::filesystem::resize_file(file(), std::uintmax_t{64} << 20);
  const Deaths deaths(file(), log_, clock_);
  EXPECT_EQ(warnings(), 1U);
  EXPECT_GE(deaths.record(), 0);
  EXPECT_LT(std::filesystem::file_size(file()), 1'000U);
  EXPECT_TRUE(identities().empty());
}

TEST_F(DeathsFileTest, MessagesOfLongAgoAreForgotten) {
  left({death(1, std::chrono::hours(24 * 365)), death(2, std::chrono::hours(24))});
  const Deaths deaths(file(), log_, clock_);
  EXPECT_EQ(identities(), std::set<std::uint64_t>{2});
}

TEST_F(DeathsFileTest, TheNewestAreKeptAndNoMore) {
  constexpr std::uint64_t kLeft = 3'000;
  std::vector<plugin::DeathLine> all;
  for (std::uint64_t i = 1; i <= kLeft; ++i) {
    all.push_back(death(i, Seconds(kLeft - i)));
  }
  left(all);
  const Deaths deaths(file(), log_, clock_);
  const auto kept = identities();
  ASSERT_FALSE(kept.empty());
  EXPECT_LT(kept.size(), kLeft);
  EXPECT_EQ(*kept.rbegin(), kLeft);
  EXPECT_EQ(*kept.begin(), kLeft - kept.size() + 1) << "one is missing between them";
}

TEST_F(DeathsFileTest, WithItsFolderGoneAMessageIsForgottenInMemory) {
  const std::filesystem::path inner = dir_ / "state";
  std::filesystem::create_directory(inner);
  std::filesystem::path kept = inner / "crashes";
  {
    std::ofstream out(kept);
    out << plugin::first_line({1, 2}) << plugin::line_of(death(7, Seconds(0)));
  }
  Deaths deaths(kept, log_, clock_);
  EXPECT_EQ(warnings(), 0U);
  std::filesystem::remove_all(inner);
  deaths.forget(7);
  EXPECT_EQ(warnings(), 1U);
  deaths.forget(7);
  EXPECT_EQ(warnings(), 1U) << "it is not known any more, so nothing is written";
}

}  // namespace
}  // namespace triggerd::dispatch
