// One isolated instance, without the rest of the runtime: what its worker says, sound or not.
#include <gtest/gtest.h>
#include <stdlib.h>

#include "config/trigger.hpp"
#include "plugin/plugin.hpp"
#include "support/temp_dir.hpp"
#include "unit/plugin/fakes.hpp"

namespace triggerd::plugin {
namespace {

using test::eventually;
using test::TempDir;

// Gives what it has, and remembers what comes back.
class Source final : public WorkSource {
 public:
  void push(const std::string& payload) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(payload);
    if (waker_) waker_();
  }
  const trigger_message* take(std::stop_token) override { return nullptr; }
  Taken poll(std::size_t) override {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) return {};
    payload_ = std::move(waiting_.front());
    waiting_.pop_front();
    message_ = {};
    message_.struct_size = sizeof message_;
    message_.token = ++token_;
    message_.attempt = 1;
    message_.id = {"id", 2};
    message_.topic = {"topic", 5};
    message_.payload = {reinterpret_cast<const std::uint8_t*>(payload_.data()), payload_.size()};
    return {.message = &message_, .follows = false};
  }
  void listen(std::function<void()> waker) override {
    const std::lock_guard lock(mutex_);
    waker_ = std::move(waker);
    if (waker_) waker_();
  }
  void answered(const trigger_message& message, Answer answer) override {
    const std::lock_guard lock(mutex_);
    if (message.token <= token_) answers_.push_back(answer.code);
  }
  void lost(const Loss& loss) override {
    const std::lock_guard lock(mutex_);
    if (loss.why == Loss::Why::crashed) losses_.push_back(loss.reason);
  }
  std::vector<std::int32_t> answers() const {
    const std::lock_guard lock(mutex_);
    return answers_;
  }
  std::vector<std::string> losses() const {
    const std::lock_guard lock(mutex_);
    return losses_;
  }

 private:
  mutable std::mutex mutex_;
  std::deque<std::string> waiting_;
  std::function<void()> waker_;
  std::string payload_;
  trigger_message message_{};
  std::uint64_t token_ = 0;
  std::vector<std::int32_t> answers_;
  std::vector<std::string> losses_;
};

class IsolationWorkerTest : public testing::Test {
 protected:
  void start(const std::string& program) {
    auto generation = Generation::load({.name = "hostile",
                                        .file = std::string(TEST_PLUGIN_DIR) + "/hostile.so",
                                        .stage_dir = dir_.path(),
                                        .worker_program = program,
                                        .in_process = false},
                                       log_);
    ASSERT_TRUE(generation) << generation.error().message;
    config::Trigger trigger;
    trigger.name = "t";
    trigger.isolation = config::Isolation::process;
    auto instance = (*generation)->create(trigger, host_);
    ASSERT_TRUE(instance) << instance.error().message;
    instance_ = std::move(*instance);
    const auto started = instance_->start();
    ASSERT_TRUE(started) << started.error().message;
    const auto running = instance_->run_workers(source_, 1);
    ASSERT_TRUE(running) << running.error().message;
  }
  double counted() const {
    const auto metrics = instance_->metrics();
    return metrics.empty() ? -1 : metrics.front().value;
  }
  void end() {
    EXPECT_TRUE(instance_->join_workers(std::chrono::steady_clock::now() + test::kPatience));
    instance_->stop();
    instance_.reset();
  }

  TempDir dir_;
  RememberingLog log_;
  RecordingHost host_;
  Source source_;
  std::unique_ptr<Instance> instance_;
};

TEST_F(IsolationWorkerTest, SaysWhatItHasWithoutBeingLoadedHere) {
  start(TRIGGERD_BINARY);
  EXPECT_EQ(instance_->service_name(), "obey");
  EXPECT_TRUE(instance_->can_be_probed());
  EXPECT_EQ(instance_->generation().version(), "1.0.0");
  end();
}

TEST_F(IsolationWorkerTest, ItsCountersGoOnOverACrash) {
  start(TRIGGERD_BINARY);
  source_.push("fine");
  source_.push("fine");
  ASSERT_TRUE(eventually([&] { return counted() == 2; }));
  source_.push("abort");
  ASSERT_TRUE(eventually([&] { return source_.losses().size() == 1; }));
  EXPECT_EQ(source_.losses().front(), "the worker process was ended by SIGABRT");
  source_.push("fine");
  EXPECT_TRUE(eventually([&] { return counted() == 3; }));
  EXPECT_EQ(source_.answers(), (std::vector<std::int32_t>{TRIGGER_OK, TRIGGER_OK, TRIGGER_OK}));
  end();
}

TEST_F(IsolationWorkerTest, AProtocolViolationEndsItsWorkerAndNothingElse) {
  for (const char* kind : {"counts", "bytes", "type", "verdict", "place", "frame", "large frame",
                           "reply", "verdicts"}) {
    ::setenv("VIOLATION", kind, 1);  // NOLINT(concurrency-mt-unsafe): nobody else reads it now
    ASSERT_NO_FATAL_FAILURE(start(VIOLATING_WORKER)) << kind;
    const std::size_t before = source_.losses().size();
    // Again and again: the worker that is started anew does the same.
    for (std::size_t i = 1; i <= 2; ++i) {
      source_.push("message");
      ASSERT_TRUE(eventually([&] { return source_.losses().size() >= before + i; })) << kind;
    }
    EXPECT_NE(source_.losses().back().find("worker protocol violation"), std::string::npos)
        << kind << ": " << source_.losses().back();
    end();
  }
}

}  // namespace
}  // namespace triggerd::plugin
