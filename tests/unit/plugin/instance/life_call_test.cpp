#include "plugin/instance/life_call.hpp"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <future>
#include <thread>

#include "support/eventually.hpp"
#include "support/fake_clock.hpp"

namespace triggerd::plugin {
namespace {

constexpr Millis kLong = std::chrono::minutes(1);

std::thread::id thread_of_a_call(LifeThread& thread) {
  std::thread::id id;
  EXPECT_TRUE(thread.call(
      "p:t", [&id] { id = std::this_thread::get_id(); }, nullptr, kLong));
  return id;
}

// A service of ABI 1.0 may keep something in a thread_local from its start to its stop.
TEST(LifeThread, AllCallsRunOnOneThread) {
  LifeThread thread(system_clock());
  const std::thread::id first = thread_of_a_call(thread);
  EXPECT_NE(first, std::this_thread::get_id());
  EXPECT_EQ(thread_of_a_call(thread), first);
  EXPECT_TRUE(thread.end(kLong));
}

TEST(LifeThread, HasTheCallsNameMeanwhile) {
  LifeThread thread(system_clock());
  const auto name_of_a_call = [&thread](const char* name) {
    char seen[16] = "";
    EXPECT_TRUE(thread.call(
        name, [&seen] { ::pthread_getname_np(::pthread_self(), seen, sizeof seen); }, nullptr,
        kLong));
    return std::string(seen);
  };
  EXPECT_EQ(name_of_a_call("p:one"), "p:one");
  EXPECT_EQ(name_of_a_call("p:two"), "p:two");
  EXPECT_EQ(count_threads_named("p:one", "p:two"), 0U);
}

TEST(LifeThread, ACallThatHangsKeepsItsThreadAndTheNextGetsAnother) {
  LifeThread thread(system_clock());
  const std::thread::id first = thread_of_a_call(thread);
  auto release = std::make_shared<std::promise<void>>();
  const auto hung = [released = release->get_future().share()] { released.wait(); };
  EXPECT_FALSE(thread.call("p:hangs", hung, nullptr, Millis(50)));
  EXPECT_NE(thread_of_a_call(thread), first);
  EXPECT_EQ(count_threads_named("p:hangs", ""), 0U) << "it would be taken for the next one's";
  EXPECT_EQ(count_threads_named("plugin given up", ""), 1U);
  release->set_value();
  EXPECT_TRUE(test::eventually([] { return count_threads_named("plugin given up", "") == 0; }));
}

TEST(LifeThread, ARuntimeThatStopsWaitsForAShareOfItsTime) {
  LifeThread thread(system_clock());
  Patience patience;
  patience.end_by(std::chrono::steady_clock::now() + Millis(200));
  auto release = std::make_shared<std::promise<void>>();
  const auto hung = [released = release->get_future().share()] { released.wait(); };
  EXPECT_FALSE(thread.call("p:hangs", hung, &patience, std::chrono::hours(24)));
  release->set_value();
}

TEST(LifeThread, ItsEndIsThatOfWhatIsKeptOnIt) {
  static std::atomic<int> alive{0};
  struct Kept {
    Kept() { ++alive; }
    ~Kept() { --alive; }
    void touch() {}
  };
  LifeThread thread(system_clock());
  EXPECT_TRUE(thread.call(
      "p:t",
      [] {
        thread_local Kept kept;
        kept.touch();
      },
      nullptr, kLong));
  EXPECT_EQ(alive, 1);
  EXPECT_TRUE(thread.end(kLong));
  EXPECT_EQ(alive, 0);
  EXPECT_TRUE(thread.end(kLong)) << "once more is nothing";
}

TEST(CallBound, IsTheUsualTimeWhileTheRuntimeGoesOn) {
  test::FakeClock clock;
  const Monotonic began = clock.now();
  Patience patience;
  EXPECT_EQ(CallBound(nullptr, Millis(700), clock).end(), began + Millis(700));
  CallBound bound(&patience, Millis(700), clock);
  EXPECT_EQ(bound.end(), began + Millis(700));
  clock.advance(Millis(500));
  EXPECT_EQ(bound.end(), began + Millis(700)) << "it began then";
}

TEST(CallBound, IsAQuarterOfWhatIsLeftOnceTheRuntimeStops) {
  test::FakeClock clock;
  Patience patience;
  CallBound bound(&patience, kLong, clock);
  clock.advance(Millis(1'000));
  patience.end_by(clock.now() + Millis(8'000));
  const Monotonic end = clock.now() + Millis(2'000);
  EXPECT_EQ(bound.end(), end);
  clock.advance(Millis(400));
  EXPECT_EQ(bound.end(), end) << "and not of less and less";
}

TEST(CallBound, IsNeverLongerForAStopAndNeverNothing) {
  test::FakeClock clock;
  Patience patience;
  patience.end_by(clock.now() + Millis(600));
  EXPECT_EQ(CallBound(&patience, kLong, clock).end(), clock.now() + Millis(500));
  EXPECT_EQ(CallBound(&patience, Millis(20), clock).end(), clock.now() + Millis(20));
  clock.advance(Millis(900));
  EXPECT_EQ(CallBound(&patience, kLong, clock).end(), clock.now() + Millis(100));
}

}  // namespace
}  // namespace triggerd::plugin
