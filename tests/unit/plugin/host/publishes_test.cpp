#include "plugin/host/publishes.hpp"

#include <gtest/gtest.h>

#include <future>
#include <thread>
#include <vector>

#include "unit/plugin/fakes.hpp"

namespace triggerd::plugin {
namespace {

// What done callbacks said, in their order.
struct Told {
  struct Call {
    std::int32_t code;
    std::string reason;
    std::thread::id thread;
  };

  static void done(void* user, std::int32_t code, trigger_str reason) {
    auto& told = *static_cast<Told*>(user);
    const std::lock_guard lock(told.mutex);
    told.calls.push_back({code, {reason.ptr, reason.len}, std::this_thread::get_id()});
    told.changed.notify_all();
  }
  std::vector<Call> wait(std::size_t count) {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, test::kPatience, [&] { return calls.size() >= count; });
    return calls;
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Call> calls;
};

class PublishesTest : public testing::Test {
 protected:
  PublishesTest() { publishes_->accept(); }
  ~PublishesTest() override { EXPECT_TRUE(completions_->join(soon())); }

  RememberingLog log_;
  std::shared_ptr<Completions> completions_ = std::make_shared<Completions>("fixture", log_);
  std::shared_ptr<Publishes> publishes_ = std::make_shared<Publishes>(completions_);
  Told told_;
};

TEST_F(PublishesTest, TellsAResultOnceAndOnItsOwnThread) {
  const auto opened = publishes_->open(Told::done, &told_);
  ASSERT_EQ(opened.code, TRIGGER_OK);
  publishes_->commit(opened.id);
  opened.result(TRIGGER_OK, "");
  opened.result(TRIGGER_E_FAILED, "a second result");
  ASSERT_TRUE(publishes_->cancel(soon()));
  const auto calls = told_.wait(1);
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].code, TRIGGER_OK);
  EXPECT_NE(calls[0].thread, std::this_thread::get_id());
}

TEST_F(PublishesTest, TellsAFailureWithItsReason) {
  const auto opened = publishes_->open(Told::done, &told_);
  publishes_->commit(opened.id);
  opened.result(TRIGGER_E_NOT_CONNECTED, "the connection was lost");
  const auto calls = told_.wait(1);
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].code, TRIGGER_E_NOT_CONNECTED);
  EXPECT_EQ(calls[0].reason, "the connection was lost");
}

// The result may be there before publish() has returned; the service learns it afterwards.
TEST_F(PublishesTest, AResultBeforeTheCommitWaitsForIt) {
  const auto early = publishes_->open(Told::done, &told_);
  const auto later = publishes_->open(Told::done, &told_);
  early.result(TRIGGER_OK, "early");
  publishes_->commit(later.id);
  later.result(TRIGGER_OK, "later");
  ASSERT_EQ(told_.wait(1).front().reason, "later");
  publishes_->commit(early.id);
  EXPECT_EQ(told_.wait(2).back().reason, "early");
}

TEST_F(PublishesTest, WhatWasNotSentIsNotTold) {
  const auto failed = publishes_->open(Told::done, &told_);
  failed.result(TRIGGER_E_FAILED, "from inside a publish that failed");
  publishes_->drop(failed.id);
  ASSERT_TRUE(publishes_->cancel(soon()));
  EXPECT_TRUE(told_.wait(0).empty());
}

TEST_F(PublishesTest, CancelTellsWhatIsUnderWayAndIgnoresWhatComesLater) {
  const auto first = publishes_->open(Told::done, &told_);
  const auto second = publishes_->open(Told::done, &told_);
  publishes_->commit(first.id);
  publishes_->commit(second.id);
  ASSERT_TRUE(publishes_->cancel(soon()));
  ASSERT_EQ(told_.calls.size(), 2u) << "told when cancel() returns, not later";
  EXPECT_EQ(told_.calls[0].code, TRIGGER_E_CANCELLED);
  EXPECT_EQ(told_.calls[1].code, TRIGGER_E_CANCELLED);
  first.result(TRIGGER_OK, "");
  publishes_.reset();
  second.result(TRIGGER_OK, "nothing is left but this");
  ASSERT_TRUE(completions_->join(soon()));
  EXPECT_EQ(told_.calls.size(), 2u);
}

TEST_F(PublishesTest, CancelWaitsForAPublishThatHasNotReturned) {
  const auto opened = publishes_->open(Told::done, &told_);
  EXPECT_FALSE(publishes_->cancel(std::chrono::steady_clock::now()));
  publishes_->commit(opened.id);
  ASSERT_TRUE(publishes_->cancel(soon()));
  ASSERT_EQ(told_.calls.size(), 1u);
  EXPECT_EQ(told_.calls[0].code, TRIGGER_E_CANCELLED);
}

TEST_F(PublishesTest, WhatIsForgottenIsNotTold) {
  const auto opened = publishes_->open(Told::done, &told_);
  const auto inside = publishes_->open(Told::done, &told_);
  publishes_->commit(opened.id);
  publishes_->forget();
  opened.result(TRIGGER_OK, "");
  inside.result(TRIGGER_OK, "");
  publishes_->commit(inside.id);
  EXPECT_EQ(publishes_->open(Told::done, &told_).code, TRIGGER_E_STATE);
  ASSERT_TRUE(publishes_->cancel(soon()));
  EXPECT_TRUE(told_.calls.empty());
}

TEST_F(PublishesTest, OpensOnlyWhileAccepting) {
  ASSERT_TRUE(publishes_->cancel(soon()));
  EXPECT_EQ(publishes_->open(Told::done, &told_).code, TRIGGER_E_STATE);
  publishes_->accept();
  const auto opened = publishes_->open(Told::done, &told_);
  EXPECT_EQ(opened.code, TRIGGER_OK);
  publishes_->drop(opened.id);
}

TEST_F(PublishesTest, IsFullAtSomePoint) {
  for (std::size_t i = 0; i < Publishes::kMax; ++i) {
    const auto opened = publishes_->open(Told::done, &told_);
    ASSERT_EQ(opened.code, TRIGGER_OK);
    publishes_->commit(opened.id);
  }
  EXPECT_EQ(publishes_->open(Told::done, &told_).code, TRIGGER_E_FULL);
  ASSERT_TRUE(publishes_->cancel(soon()));
  EXPECT_EQ(told_.calls.size(), Publishes::kMax);
  publishes_->accept();
  const auto opened = publishes_->open(Told::done, &told_);
  EXPECT_EQ(opened.code, TRIGGER_OK) << "there is room again";
  publishes_->drop(opened.id);
}

TEST_F(PublishesTest, ADoneThatThrowsIsReportedAndCountsAsTold) {
  const auto throws = [](void*, std::int32_t, trigger_str) { throw std::runtime_error("oh no"); };
  const auto opened = publishes_->open(throws, nullptr);
  publishes_->commit(opened.id);
  opened.result(TRIGGER_OK, "");
  ASSERT_TRUE(publishes_->cancel(soon()));
  EXPECT_EQ(log_.texts("plugin.exception"),
            std::vector<std::string>{"a done callback threw an exception across the C ABI: oh no"});
}

TEST_F(PublishesTest, ADoneThatDoesNotReturnBoundsNobody) {
  std::promise<void> release;
  const auto opened = publishes_->open(
      [](void* user, std::int32_t, trigger_str) {
        static_cast<std::promise<void>*>(user)->get_future().wait();
      },
      &release);
  publishes_->commit(opened.id);
  opened.result(TRIGGER_OK, "");
  EXPECT_FALSE(publishes_->cancel(std::chrono::steady_clock::now() + Millis(1)));
  release.set_value();
  EXPECT_TRUE(publishes_->cancel(soon()));
}

// Results, commits and the cancel meet from different threads: none is told twice or not at all.
TEST_F(PublishesTest, EveryPublishIsToldExactlyOnceUnderFire) {
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  std::atomic<int> committed = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      std::vector<PublishDone> late;
      for (int i = 0; i < kEach; ++i) {
        auto opened = publishes_->open(Told::done, &told_);
        if (opened.code != TRIGGER_OK) continue;
        if (i % 3 == 0) opened.result(TRIGGER_OK, "");
        publishes_->commit(opened.id);
        ++committed;
        if (i % 3 == 1) opened.result(TRIGGER_OK, "");
        late.push_back(std::move(opened.result));
      }
      for (const PublishDone& result : late) result(TRIGGER_OK, "late");
    });
  }
  told_.wait(20);
  EXPECT_TRUE(publishes_->cancel(soon()));
  const std::size_t at_cancel = told_.wait(0).size();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(told_.wait(0).size(), at_cancel) << "nothing is told after cancel() returned";
  EXPECT_EQ(static_cast<std::size_t>(committed), at_cancel);
}

TEST(Completions, AreSilentOnceMuted) {
  RememberingLog log;
  Completions completions("fixture", log);
  ASSERT_TRUE(completions.start());
  completions.mute();
  std::promise<void> told;
  completions.post({.done = [](void*, std::int32_t, trigger_str) { throw 1; },
                    .told = [&told] { told.set_value(); }});
  told.get_future().wait();
  ASSERT_TRUE(completions.join(soon()));
  EXPECT_TRUE(log.texts("plugin.exception").empty());
}

TEST(Completions, JoinTellsWhatIsQueued) {
  RememberingLog log;
  Completions completions("fixture", log);
  ASSERT_TRUE(completions.start());
  std::atomic<int> told = 0;
  for (int i = 0; i < 100; ++i) {
    completions.post(
        {.done = [](void*, std::int32_t, trigger_str) {}, .told = [&told] { ++told; }});
  }
  ASSERT_TRUE(completions.join(soon()));
  EXPECT_EQ(told, 100);
}

TEST(Completions, NeverStartedIsQuiet) {
  RememberingLog log;
  Completions completions("fixture", log);
  EXPECT_TRUE(completions.join(std::chrono::steady_clock::now()));
}

}  // namespace
}  // namespace triggerd::plugin
