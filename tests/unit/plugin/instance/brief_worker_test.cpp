// The worker of a brief service, on the threads of these tests.
#include "plugin/instance/brief_worker.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <time.h>

#include <functional>
#include <future>
#include <thread>

#include "plugin/process/current_call.hpp"
#include "support/fake_clock.hpp"
#include "unit/plugin/fakes.hpp"

namespace triggerd::plugin {
namespace {

// A service whose handle is this test's.
using Handle = std::function<std::int32_t(const trigger_message&)>;

Millis processor_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::duration_cast<Millis>(std::chrono::seconds(time.tv_sec) +
                                            std::chrono::nanoseconds(time.tv_nsec));
}

class BriefWorkerTest : public testing::Test {
 protected:
  // One worker, and one without a thread.
  void start(Handle handle, const Clock& clock = system_clock()) {
    handle_ = std::move(handle);
    auto pool = WorkerPool::start({.handle = [](void* instance, const trigger_message* message,
                                                trigger_result*) -> std::int32_t {
                                     return (*static_cast<Handle*>(instance))(*message);
                                   },
                                   .instance = &handle_,
                                   .brief = brief_},
                                  source_, 1, "w:alarms", clock);
    ASSERT_TRUE(pool);
    pool_ = std::move(*pool);
    worker_ = source_.inline_worker();
  }
  void start_ok() {
    start([](const trigger_message&) { return TRIGGER_OK; });
  }
  std::size_t answered() { return source_.answers(0).size(); }

  Handle handle_;
  test::FakeClock clock_;  // for start()
  std::shared_ptr<std::atomic<bool>> brief_ = std::make_shared<std::atomic<bool>>(true);
  FakeSource source_;
  std::unique_ptr<WorkerPool> pool_;
  std::shared_ptr<InlineWorker> worker_;
};

TEST_F(BriefWorkerTest, CallsOnTheThreadThatRunsIt) {
  std::vector<pthread_t> threads;
  std::size_t messages = 0;
  start([&](const trigger_message&) {
    threads.push_back(::pthread_self());
    messages = CurrentCall::get()->messages().size();
    return TRIGGER_OK;
  });
  ASSERT_TRUE(worker_);
  source_.push_inline("a");
  source_.push_inline("b");
  worker_->run(true);
  const auto answers = source_.answers(2);
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[1].topic, "b");
  EXPECT_EQ(answers[1].answer.code, TRIGGER_OK);
  EXPECT_EQ(threads, (std::vector<pthread_t>{::pthread_self(), ::pthread_self()}));
  EXPECT_EQ(messages, 1U);
  EXPECT_EQ(source_.runs().size(), 1U);
}

TEST_F(BriefWorkerTest, IsThereForBriefServicesOnly) {
  *brief_ = false;
  start_ok();
  EXPECT_FALSE(worker_);
  ASSERT_TRUE(pool_->join(soon()));
  brief_ = nullptr;
  start_ok();
  EXPECT_FALSE(worker_);
}

TEST_F(BriefWorkerTest, AnExceptionIsARetryAsOnAnyWorker) {
  start([](const trigger_message&) -> std::int32_t { throw std::runtime_error("bad cast"); });
  source_.push_inline("a");
  worker_->run(true);
  EXPECT_EQ(source_.answers(1).at(0).answer.reason,
            "the service threw an exception across the C ABI: bad cast");
}

TEST_F(BriefWorkerTest, ACallThatWaitsIsToldOfAndIsTheLastOfItsRun) {
  start(
      [this](const trigger_message&) {
        clock_.advance(4 * kBriefCall);
        std::this_thread::sleep_for(std::chrono::microseconds(1));
        return TRIGGER_OK;
      },
      clock_);
  source_.push_inline("a");
  source_.push_inline("b");
  worker_->run(true);
  EXPECT_EQ(answered(), 1U);
  ASSERT_EQ(source_.runs().size(), 1U);
  EXPECT_EQ(source_.runs()[0], 4 * kBriefCall);
}

TEST_F(BriefWorkerTest, ACallThatOnlyGotNoProcessorIsNotToldOf) {
  start(
      [this](const trigger_message&) {
        clock_.advance(4 * kBriefCall);
        return TRIGGER_OK;
      },
      clock_);
  source_.push_inline("a");
  worker_->run(true);
  ASSERT_EQ(source_.runs().size(), 1U);
  EXPECT_FALSE(source_.runs()[0]);
  EXPECT_FALSE(worker_->willing()) << "but the next one is for a worker";
}

TEST_F(BriefWorkerTest, ACallThatTakesItsTimeEndsItsRun) {
  start(
      [this, calls = 0](const trigger_message&) mutable {
        // The clock has whole milliseconds: every sixth call seems to take one.
        if (++calls % 6 == 0) clock_.advance(Millis(1));
        return TRIGGER_OK;
      },
      clock_);
  for (int i = 0; i < 12; ++i) source_.push_inline("a");
  worker_->run(true);
  EXPECT_EQ(answered(), 6U);
  clock_.advance(Millis(9));
  worker_->run(true);
  EXPECT_EQ(answered(), 12U);
}

TEST_F(BriefWorkerTest, SoIsOneThatComputes) {
  start([](const trigger_message&) {
    const Millis until = processor_time() + 4 * kBriefCall;
    while (processor_time() < until) {
    }
    return TRIGGER_OK;
  });
  source_.push_inline("a");
  worker_->run(true);
  ASSERT_EQ(source_.runs().size(), 1U);
  EXPECT_TRUE(source_.runs()[0]);
}

TEST_F(BriefWorkerTest, AfterACallThatTookItsTimeOthersGetTheirs) {
  start(
      [this](const trigger_message&) {
        clock_.advance(Millis(1));
        return TRIGGER_OK;
      },
      clock_);
  source_.push_inline("a");
  source_.push_inline("b");
  EXPECT_TRUE(worker_->willing());
  worker_->run(true);
  EXPECT_EQ(answered(), 1U) << "the next one is for a worker";
  clock_.advance(Millis(8));
  EXPECT_FALSE(worker_->willing());
  clock_.advance(Millis(1));
  EXPECT_TRUE(worker_->willing()) << "a tenth of the time";
}

TEST_F(BriefWorkerTest, WhatWasGivenUpIsCalledNoMoreForAnyTrigger) {
  start_ok();
  FakeSource other_source;
  auto other =
      WorkerPool::start({.handle = [](void*, const trigger_message*,
                                      trigger_result*) -> std::int32_t { return TRIGGER_OK; },
                         .brief = brief_},
                        other_source, 1, "w:other", system_clock());
  ASSERT_TRUE(other);
  EXPECT_TRUE(worker_->give_up());
  EXPECT_FALSE(worker_->give_up()) << "that is known";
  for (FakeSource* const source : {&source_, &other_source}) {
    EXPECT_FALSE(source->inline_worker()->willing());
    source->push_inline("a");
    source->inline_worker()->run(true);
    EXPECT_TRUE(source->answers(0).empty());
    EXPECT_EQ(source->runs().size(), 1U) << "and its source knows that nobody comes";
  }
}

TEST_F(BriefWorkerTest, TooLateItLeavesAllToTheWorkers) {
  start_ok();
  source_.push_inline("a");
  worker_->run(false);
  EXPECT_EQ(answered(), 0U);
  EXPECT_EQ(source_.runs().size(), 1U);
}

TEST_F(BriefWorkerTest, EndsWithTheWorkers) {
  start_ok();
  pool_->request_end();
  EXPECT_FALSE(worker_->willing());
  ASSERT_TRUE(pool_->join(soon()));
  EXPECT_FALSE(source_.inline_worker());
  source_.push_inline("a");
  worker_->run(true);
  EXPECT_EQ(answered(), 0U);
  EXPECT_TRUE(source_.runs().empty()) << "the source may be gone";
}

TEST_F(BriefWorkerTest, ACallUnderWayIsWaitedFor) {
  std::promise<void> release;
  start([&release](const trigger_message&) {
    release.get_future().wait();
    return TRIGGER_OK;
  });
  source_.push_inline("a");
  std::thread reader([this] { worker_->run(true); });
  EXPECT_TRUE(source_.wait_taken(1));
  auto joined = std::async(std::launch::async, [this] { return pool_->join(soon()); });
  EXPECT_EQ(joined.wait_for(Millis(20)), std::future_status::timeout);
  release.set_value();
  EXPECT_TRUE(joined.get());
  EXPECT_EQ(answered(), 1U);
  reader.join();
}

TEST_F(BriefWorkerTest, OneThatDoesNotComeBackIsCutOff) {
  std::promise<void> release;
  start([&release](const trigger_message&) {
    release.get_future().wait();
    return TRIGGER_OK;
  });
  source_.push_inline("a");
  std::thread reader([this] { worker_->run(true); });
  EXPECT_TRUE(source_.wait_taken(1));
  // Taken, it may still be on its way into the service, where alone it can be cut off.
  EXPECT_FALSE(pool_->join(std::chrono::steady_clock::now() + Millis(50)));
  release.set_value();
  reader.join();
  EXPECT_EQ(answered(), 0U) << "the source may be gone";
  EXPECT_TRUE(source_.runs().empty());
}

}  // namespace
}  // namespace triggerd::plugin
