#include "plugin/instance/worker_pool.hpp"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <future>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include "plugin/host/trace_context.hpp"
#include "unit/plugin/fakes.hpp"

namespace triggerd::plugin {
namespace {

Monotonic now() {
  return std::chrono::steady_clock::now();
}

// A service whose handle is this test's.
using Handle = std::function<std::int32_t(const trigger_message&, trigger_result&)>;

WorkerPool::Service service(Handle& handle) {
  return {[](void* instance, const trigger_message* message, trigger_result* result) {
            return (*static_cast<Handle*>(instance))(*message, *result);
          },
          &handle};
}

std::unique_ptr<WorkerPool> start(Handle& handle, FakeSource& source, unsigned count = 1) {
  auto pool = WorkerPool::start(service(handle), source, count, "w:alarms", system_clock());
  EXPECT_TRUE(pool);
  return std::move(*pool);
}

TEST(WorkerPool, TheThreadKnowsItsMessageForAsLongAsTheServiceHasIt) {
  std::vector<const trigger_message*> seen;
  Handle handle = [&seen](const trigger_message& message, trigger_result&) -> std::int32_t {
    seen = {&message, CurrentMessage::get()};
    return TRIGGER_OK;
  };
  trigger_message message{};
  EXPECT_EQ(call_handle(service(handle), message, message).code, TRIGGER_OK);
  EXPECT_EQ(seen, (std::vector<const trigger_message*>{&message, &message}));
  EXPECT_EQ(CurrentMessage::get(), nullptr);
}

TEST(WorkerPool, AnswersWhatTheServiceSays) {
  Handle handle = [](const trigger_message& message, trigger_result& result) -> std::int32_t {
    EXPECT_EQ(result.struct_size, sizeof result);
    EXPECT_EQ(result.reason[0], '\0');
    EXPECT_EQ(result.retry_after_ms, 0u);
    if (std::string_view(message.topic.ptr, message.topic.len) == "nonsense") return 4711;
    result.retry_after_ms = 1500;
    std::strcpy(result.reason, "later");
    return TRIGGER_RETRY;
  };
  FakeSource source;
  auto pool = start(handle, source);
  source.push("a");
  source.push("nonsense");
  const auto answers = source.answers(2);
  ASSERT_TRUE(pool->join(soon()));
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].answer.code, TRIGGER_RETRY);
  EXPECT_EQ(answers[0].answer.retry_after_ms, 1500u);
  EXPECT_EQ(answers[0].answer.reason, "later");
  EXPECT_EQ(answers[1].topic, "nonsense");
  EXPECT_EQ(answers[1].answer.code, 4711) << "not judged here";
  EXPECT_EQ(answers[1].answer.reason, "") << "each call gets an empty result";
}

TEST(WorkerPool, AnExceptionIsARetryThatSaysSo) {
  Handle handle = [](const trigger_message& message, trigger_result& result) -> std::int32_t {
    result.retry_after_ms = 9;
    if (message.topic.len == 1) throw std::runtime_error("bad cast");
    if (message.topic.len == 2) throw 42;
    throw std::runtime_error(std::string(5000, 'x'));
  };
  FakeSource source;
  auto pool = start(handle, source);
  source.push("a");
  source.push("bb");
  source.push("ccc");
  const auto answers = source.answers(3);
  ASSERT_TRUE(pool->join(soon()));
  ASSERT_EQ(answers.size(), 3u);
  for (const auto& [topic, answer] : answers) {
    EXPECT_EQ(answer.code, TRIGGER_RETRY);
    EXPECT_EQ(answer.retry_after_ms, 0u) << "what a failed call left behind means nothing";
  }
  EXPECT_EQ(answers[0].answer.reason, "the service threw an exception across the C ABI: bad cast");
  EXPECT_EQ(answers[1].answer.reason,
            "the service threw an exception across the C ABI: not a std::exception");
  EXPECT_EQ(answers[2].answer.reason.size(), 255u);
}

TEST(WorkerPool, AReasonWithoutItsNulEndsAllTheSame) {
  Handle handle = [](const trigger_message&, trigger_result& result) -> std::int32_t {
    std::memset(result.reason, 'y', sizeof result.reason);
    return TRIGGER_REJECT;
  };
  FakeSource source;
  auto pool = start(handle, source);
  source.push("a");
  EXPECT_EQ(source.answers(1).at(0).answer.reason, std::string(256, 'y'));
  EXPECT_TRUE(pool->join(soon()));
}

TEST(WorkerPool, RunsAsManyAtOnceAsItHasWorkers) {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  std::mutex mutex;
  std::set<pthread_t> threads;
  std::set<std::string> names;
  Handle handle = [&](const trigger_message&, trigger_result&) -> std::int32_t {
    char name[16];
    ::pthread_getname_np(::pthread_self(), name, sizeof name);
    {
      const std::lock_guard lock(mutex);
      threads.insert(::pthread_self());
      names.insert(name);
    }
    released.wait();
    return TRIGGER_OK;
  };
  FakeSource source;
  auto pool = start(handle, source, 3);
  for (int i = 0; i < 6; ++i) source.push("a");
  EXPECT_TRUE(source.wait_taken(3));
  release.set_value();
  EXPECT_EQ(source.answers(6).size(), 6u);
  ASSERT_TRUE(pool->join(soon()));
  EXPECT_EQ(threads.size(), 3u);
  EXPECT_EQ(names, std::set<std::string>{"w:alarms"});
}

TEST(WorkerPool, IdleWorkersComeBack) {
  Handle handle = [](const trigger_message&, trigger_result&) -> std::int32_t {
    return TRIGGER_OK;
  };
  FakeSource source;
  auto pool = start(handle, source, 4);
  EXPECT_TRUE(pool->join(soon()));
  EXPECT_TRUE(pool->join(now())) << "once more does nothing";
}

TEST(WorkerPool, ACallThatEndsInTimeIsAnswered) {
  std::promise<void> release;
  Handle handle = [&](const trigger_message&, trigger_result&) -> std::int32_t {
    release.get_future().wait();
    return TRIGGER_OK;
  };
  FakeSource source;
  auto pool = start(handle, source);
  source.push("a");
  ASSERT_TRUE(source.wait_taken(1));
  std::thread lets_go([&] { release.set_value(); });
  EXPECT_TRUE(pool->join(soon()));
  lets_go.join();
  EXPECT_EQ(source.answers(1).size(), 1u);
}

// Opened by one thread, waited for by another. Shared, since a thread that was cut off is waited
// for by nobody else.
class Latch {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, test::kPatience, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

// Opens a latch at the very end of the thread that calls it.
void open_at_thread_exit(std::shared_ptr<Latch> latch) {
  struct AtExit {
    ~AtExit() { latch->open(); }
    std::shared_ptr<Latch> latch;
  };
  thread_local AtExit at_exit;
  at_exit.latch = std::move(latch);
}

class CutOffTest : public testing::Test {
 protected:
  // The service hangs on the topic "hangs" until release_ is opened.
  CutOffTest() {
    *handle_ = [entered = entered_, release = release_, gone = gone_](
                   const trigger_message& message, trigger_result&) -> std::int32_t {
      if (std::string_view(message.topic.ptr, message.topic.len) == "hangs") {
        open_at_thread_exit(gone);
        entered->open();
        release->wait();
      }
      return TRIGGER_OK;
    };
  }

  const std::shared_ptr<Latch> entered_ = std::make_shared<Latch>();
  const std::shared_ptr<Latch> release_ = std::make_shared<Latch>();
  const std::shared_ptr<Latch> gone_ = std::make_shared<Latch>();
  std::unique_ptr<Handle> handle_ = std::make_unique<Handle>();
};

// The call may come back much later, when source and pool have gone.
TEST_F(CutOffTest, ACallThatDoesNotEndTouchesNothingLater) {
  auto source = std::make_unique<FakeSource>();
  auto pool = start(*handle_, *source, 2);
  source->push("hangs");
  ASSERT_TRUE(entered_->wait());
  EXPECT_FALSE(pool->join(now()));
  EXPECT_TRUE(source->answers(0).empty());
  pool.reset();
  source.reset();
  release_->open();
  EXPECT_TRUE(gone_->wait());
}

TEST_F(CutOffTest, OneThatHangsDoesNotKeepTheOthers) {
  FakeSource source;
  auto pool = start(*handle_, source, 2);
  source.push("hangs");
  source.push("ok");
  EXPECT_EQ(source.answers(1).at(0).topic, "ok");
  EXPECT_FALSE(pool->join(now()));
  const std::size_t takes = source.takes();
  release_->open();
  ASSERT_TRUE(gone_->wait());
  EXPECT_EQ(source.answers(1).size(), 1u) << "the late answer is dropped";
  EXPECT_EQ(source.takes(), takes);
}

// ---- handle_batch ----

// A service that also has handle_batch; it gives the topic's length as the verdict.
class Batching {
 public:
  WorkerPool::Service service() {
    return {.handle = [](void*, const trigger_message*, trigger_result*) -> std::int32_t {
              return TRIGGER_OK;
            },
            .instance = this,
            .handle_batch =
                [](void* instance, const trigger_message* const* messages,
                   trigger_result* const* results, std::size_t count) {
                  static_cast<Batching*>(instance)->handle(messages, results, count);
                }};
  }
  std::size_t calls() const { return calls_; }
  bool throws = false;

 private:
  void handle(const trigger_message* const* messages, trigger_result* const* results,
              std::size_t count) {
    ++calls_;
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(results[i]->struct_size, sizeof(trigger_result));
      EXPECT_EQ(results[i]->code, TRIGGER_RETRY) << "beforehand";
      EXPECT_EQ(results[i]->reason[0], '\0');
      const std::string_view topic(messages[i]->topic.ptr, messages[i]->topic.len);
      if (topic == "unanswered") continue;
      results[i]->code = topic == "pending" ? TRIGGER_PENDING : TRIGGER_REJECT;
      results[i]->retry_after_ms = 7;
      std::strcpy(results[i]->reason, "so");
    }
    if (throws) throw std::runtime_error("rolled back");
  }
  std::atomic<std::size_t> calls_{0};
};

// Messages that are there when the worker comes are one batch.
std::vector<FakeSource::Answered> answers_of_a_batch(Batching& batching,
                                                     std::initializer_list<const char*> topics) {
  FakeSource source;
  source.give_batches();
  for (const char* topic : topics) source.push(topic);
  auto pool = WorkerPool::start(batching.service(), source, 1, "w:alarms", system_clock());
  EXPECT_TRUE(pool);
  auto answers = source.answers(topics.size());
  EXPECT_TRUE((*pool)->join(soon()));
  return answers;
}

TEST(WorkerPool, ABatchIsOneCallWithAVerdictForEach) {
  Batching batching;
  const auto answers = answers_of_a_batch(batching, {"a", "pending", "unanswered"});
  EXPECT_EQ(batching.calls(), 1U);
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(answers[0].answer.code, TRIGGER_REJECT);
  EXPECT_EQ(answers[0].answer.retry_after_ms, 7U);
  EXPECT_EQ(answers[0].answer.reason, "so");
  EXPECT_EQ(answers[1].answer.code, TRIGGER_PENDING);
  EXPECT_EQ(answers[2].answer.code, TRIGGER_RETRY) << "what is not answered comes again";
}

TEST(WorkerPool, AMessageAloneGoesToHandle) {
  Batching batching;
  const auto answers = answers_of_a_batch(batching, {"a"});
  EXPECT_EQ(batching.calls(), 0U);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].answer.code, TRIGGER_OK);
}

TEST(WorkerPool, ABatchThatThrowsComesAgainAsAWhole) {
  Batching batching;
  batching.throws = true;
  const auto answers = answers_of_a_batch(batching, {"a", "b"});
  ASSERT_EQ(answers.size(), 2U);
  for (const auto& [topic, answer] : answers) {
    EXPECT_EQ(answer.code, TRIGGER_RETRY);
    EXPECT_EQ(answer.retry_after_ms, 0U);
    EXPECT_EQ(answer.reason, "the service threw an exception across the C ABI: rolled back");
  }
}

}  // namespace
}  // namespace triggerd::plugin
