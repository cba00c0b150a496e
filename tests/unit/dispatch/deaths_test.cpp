// Messages that have ended the runtime: what is read of earlier runs, and what comes of it.
#include "dispatch/deaths.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>

#include "support/capture_log.hpp"
#include "support/temp_dir.hpp"
#include "unit/dispatch/dispatcher_fixture.hpp"

namespace triggerd::dispatch {
namespace {

using triggerd::test::CaptureLog;
using triggerd::test::TempDir;

class DeathsTest : public DispatcherTest {
 protected:
  std::filesystem::path file() const { return dir_ / "crashes"; }
  // As the signal handler does it, in a run of its own.
  void crash(const std::string& payload, unsigned messages = 1, unsigned times = 1) {
    for (unsigned i = 0; i < times; ++i) {
      const Deaths deaths(file(), log_);
      write(deaths, payload, messages);
    }
  }
  void write(const Deaths& deaths, const std::string& payload, unsigned messages) const {
    const std::string line = fmt::format(
        "crash {} SIGSEGV plugin service t handle ID {:016x} {}\n", now_,
        plugin::identity_of(deaths.key(), options_.trigger, "topic", payload), messages);
    ASSERT_EQ(::write(deaths.record(), line.data(), line.size()),
              static_cast<ssize_t>(line.size()));
  }
  DeliveryPtr marked(const Deaths& deaths, const std::string& payload, int qos = 1,
                     std::uint32_t max_attempts = 5) const {
    mqtt::Message m = test::message("topic", payload);
    m.qos = qos;
    DeliveryPtr made = test::delivery(std::move(m));
    deaths.mark(*made, options_.trigger, max_attempts);
    return made;
  }

  TempDir dir_;
  CaptureLog log_;
  std::int64_t now_ = std::chrono::duration_cast<std::chrono::seconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
};

TEST_F(DeathsTest, AMessageIsKnownByWhatItIsAndSetAsideTheThirdTime) {
  crash("bad", 1, 2);
  {
    const Deaths deaths(file(), log_);
    EXPECT_EQ(log_.last("runtime.crashed_before"),
              "an earlier run was ended by SIGSEGV in handle of plugin:service");
    EXPECT_FALSE(marked(deaths, "bad")->crashes.condemned);
    EXPECT_TRUE(marked(deaths, "bad")->crashes.suspect);
    EXPECT_FALSE(marked(deaths, "good")->crashes.suspect);
    EXPECT_EQ(*marked(deaths, "bad", 1, 2)->crashes.condemned,
              "ended the runtime 2 times, by SIGSEGV")
        << "its trigger gives it two attempts";
    EXPECT_FALSE(marked(deaths, "bad", 0)->crashes.suspect) << "that one does not come again";
  }
  crash("bad");
  const std::size_t told = log_.lines("runtime.crashed_before").size();
  const Deaths deaths(file(), log_);
  EXPECT_EQ(log_.lines("runtime.crashed_before").size(), told + 1) << "earlier ones were told";
  EXPECT_EQ(*marked(deaths, "bad")->crashes.condemned, "ended the runtime 3 times, by SIGSEGV");
}

TEST_F(DeathsTest, OfSeveralNoneIsCountedAndEachGoesAlone) {
  {
    const Deaths deaths(file(), log_);
    write(deaths, "a", 2);
    write(deaths, "b", 2);
  }
  const Deaths deaths(file(), log_);
  EXPECT_EQ(log_.lines("runtime.crashed_before").size(), 1U);
  for (const char* payload : {"a", "b"}) {
    EXPECT_TRUE(marked(deaths, payload)->crashes.suspect);
    EXPECT_FALSE(marked(deaths, payload, 1, 1)->crashes.condemned);
  }
}

TEST_F(DeathsTest, TheDispatcherMakesItADeadLetterWithItsCopiesAndForgetsWhatIsHandledAfterAll) {
  crash("bad", 1, 3);
  crash("unlucky");
  Deaths deaths(file(), log_);
  options_.deaths = &deaths;
  options_.order.by = config::Order::By::none;
  const auto accept = [&](const char* payload) {
    mqtt::Message m = test::message("topic", payload);
    m.qos = 1;
    dispatcher().accept({test::delivery(std::move(m))});
  };
  accept("bad");
  accept("bad");
  accept("unlucky");
  answer(take(), TRIGGER_OK);
  EXPECT_EQ(sink_.told,
            (Told{"dead letter topic ended the runtime 3 times, by SIGSEGV",
                  "dead letter topic ended the runtime 3 times, by SIGSEGV", "finished topic"}));
  EXPECT_EQ(*marked(deaths, "bad")->crashes.condemned, "ended the runtime 3 times, by SIGSEGV")
      << "a copy that its server sends again";
  const Deaths after(file(), log_);
  EXPECT_FALSE(marked(after, "bad")->crashes.suspect);
  EXPECT_FALSE(marked(after, "unlucky")->crashes.suspect);
}

TEST_F(DeathsTest, WhatNobodyWillHandleIsForgotten) {
  crash("discarded");
  crash("expired");
  Deaths deaths(file(), log_);
  options_.deaths = &deaths;
  options_.on_exhausted = config::OnExhausted::discard;
  options_.retry.max_attempts = 2;
  for (const char* payload : {"discarded", "expired"}) {
    mqtt::Message m = test::message("topic", payload);
    m.qos = 1;
    if (payload == std::string_view("expired")) m.expires = clock_.now();
    dispatcher().accept({test::delivery(std::move(m))});
  }
  answer(take(), TRIGGER_RETRY, 1);
  advance(Millis(1));
  answer(take(), TRIGGER_RETRY);
  EXPECT_TRUE(nothing_to_take());
  for (const char* payload : {"discarded", "expired"}) {
    EXPECT_FALSE(marked(deaths, payload)->crashes.suspect) << payload;
    EXPECT_FALSE(marked(Deaths(file(), log_), payload)->crashes.suspect) << payload;
  }
}

TEST_F(DeathsTest, CopiesThatComeSoonFollowItAndALaterOneBeginsAnew) {
  crash("bad", 1, 3);
  Deaths deaths(file(), log_, clock_);
  deaths.became_dead_letter(marked(deaths, "bad")->crashes.identity);
  clock_.advance(Millis(30'000));
  EXPECT_TRUE(marked(deaths, "bad")->crashes.condemned);
  clock_.advance(Millis(1));
  EXPECT_FALSE(marked(deaths, "bad")->crashes.condemned);
}

TEST_F(DeathsTest, ARunKnowsWhetherTheOneBeforeCrashed) {
  EXPECT_FALSE(Deaths(file(), log_).last_run_crashed());
  crash("a");
  EXPECT_TRUE(Deaths(file(), log_).last_run_crashed());
  EXPECT_FALSE(Deaths(file(), log_).last_run_crashed())
      << "the message is known, the crash is over";
}

TEST_F(DeathsTest, TheFileIsItsOwnersAndOneThatIsNoRecordIsReplaced) {
  std::ofstream(file()) << "something else\ncrash\ndeath 1 2 3\n";
  {
    const Deaths deaths(file(), log_);
    ASSERT_GE(deaths.record(), 0);
    write(deaths, "bad", 1);
  }
  struct stat found {};
  ASSERT_EQ(::stat(file().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
  const Deaths deaths(file(), log_);
  EXPECT_TRUE(marked(deaths, "bad")->crashes.suspect);
}

TEST_F(DeathsTest, WhatIsCutOrOldIsLeftOut) {
  crash("old");
  {
    std::ifstream in(file());
    std::string text((std::istreambuf_iterator<char>(in)), {});
    const std::string now = fmt::format("crash {} ", now_);
    text.replace(text.find(now), now.size(), fmt::format("crash {} ", now_ - 31 * 86'400));
    std::ofstream(file()) << text << "crash 17 SIGSE";
  }
  const Deaths deaths(file(), log_);
  EXPECT_FALSE(marked(deaths, "old")->crashes.suspect);
}

TEST_F(DeathsTest, WithoutAPlaceForItThereIsNoRecordAndThatIsTold) {
  const Deaths deaths(dir_ / "missing/crashes", log_);
  EXPECT_EQ(deaths.record(), -1);
  EXPECT_EQ(log_.lines("crash_record.failed").size(), 1U);
  EXPECT_FALSE(marked(deaths, "x")->crashes.condemned);
}

TEST(CrashRecord, AnIdentityDependsOnEachPartAndOnTheKey) {
  const plugin::IdentityKey key{1, 2};
  const std::uint64_t identity = plugin::identity_of(key, "a", "b", "c");
  EXPECT_EQ(identity, plugin::identity_of(key, "a", "b", "c"));
  EXPECT_NE(identity, plugin::identity_of(key, "ab", "", "c"));
  EXPECT_NE(identity, plugin::identity_of(key, "a", "bc", ""));
  EXPECT_NE(identity, plugin::identity_of({1, 3}, "a", "b", "c"));
}

}  // namespace
}  // namespace triggerd::dispatch
