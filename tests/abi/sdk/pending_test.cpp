// The verdict that comes later: exactly one for each attempt, whatever the service does.
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "under_test.hpp"

namespace {

using trigger::Completion;
using trigger::Context;
using trigger::Message;
using trigger::Verdict;
using under_test::run;

// What the scripts below leave behind.
std::optional<Completion> kept;

Verdict keep(const Context&, const Message& message) {
  kept.emplace(message.completion());
  return Verdict::pending();
}

const char* const dropped = "the service dropped the message without a verdict";

class SdkPending : public ::testing::Test {
 protected:
  void SetUp() override { kept.reset(); }
  void TearDown() override { kept.reset(); }
};

TEST_F(SdkPending, IsCompletedLater) {
  auto instance = run(keep);
  const auto attempt = instance.send({});
  EXPECT_TRUE(attempt.pending());
  EXPECT_TRUE(kept->complete(Verdict::retry(std::chrono::seconds(2), "busy")));
  EXPECT_EQ(attempt.code(), TRIGGER_RETRY);
  EXPECT_EQ(attempt.answer().retry_after_ms, 2000u);
  EXPECT_EQ(attempt.reason(), "busy");
  EXPECT_TRUE(instance.violations().empty());
}

TEST_F(SdkPending, IsCompletedOnce) {
  auto instance = run(keep);
  const auto attempt = instance.send({});
  EXPECT_TRUE(kept->complete(Verdict::ok()));
  EXPECT_FALSE(kept->complete(Verdict::reject("no")));
  kept.reset();
  EXPECT_EQ(attempt.code(), TRIGGER_OK);
}

TEST_F(SdkPending, IsNotCompletedByPending) {
  auto instance = run(keep);
  const auto attempt = instance.send({});
  EXPECT_FALSE(kept->complete(Verdict::pending()));
  EXPECT_TRUE(attempt.pending());
  EXPECT_TRUE(kept->complete(Verdict::ok()));
  EXPECT_EQ(attempt.code(), TRIGGER_OK);
  EXPECT_TRUE(instance.violations().empty());
}

TEST_F(SdkPending, IsRetriedWhenItsCompletionIsDropped) {
  auto instance = run(keep);
  const auto attempt = instance.send({});
  kept.reset();
  EXPECT_EQ(attempt.code(), TRIGGER_RETRY);
  EXPECT_EQ(attempt.reason(), dropped);
}

TEST_F(SdkPending, IsRetriedWhenAnotherTakesItsCompletionsPlace) {
  auto instance = run(keep);
  const auto first = instance.send({});
  const auto second = instance.send({});  // keep() destroys the first Completion
  EXPECT_EQ(first.reason(), dropped);
  EXPECT_TRUE(second.pending());

  Completion other = std::move(*kept);
  EXPECT_FALSE(kept->complete(Verdict::ok()));  // moved from
  kept = std::move(other);
  EXPECT_TRUE(second.pending());
  EXPECT_TRUE(kept->complete(Verdict::ok()));
  EXPECT_EQ(second.code(), TRIGGER_OK);
}

TEST_F(SdkPending, IsRetriedWhenItsCompletionIsDroppedBeforeHandleReturns) {
  auto instance = run([](const Context&, const Message& message) {
    { const Completion gone = message.completion(); }
    return Verdict::pending();
  });
  const auto attempt = instance.send({});
  EXPECT_EQ(attempt.code(), TRIGGER_RETRY);
  EXPECT_EQ(attempt.reason(), dropped);
  EXPECT_TRUE(instance.violations().empty());
}

TEST_F(SdkPending, IsRetriedWhenNobodyTookItsCompletion) {
  auto instance = run([](const Context&, const Message&) { return Verdict::pending(); });
  const auto attempt = instance.send({});
  EXPECT_EQ(attempt.code(), TRIGGER_RETRY);
  EXPECT_EQ(attempt.reason(), "the service returned pending but took no Completion");
}

TEST_F(SdkPending, MayBeCompletedBeforeHandleReturns) {
  auto instance = run([](const Context&, const Message& message) {
    Completion completion = message.completion();
    std::thread([&completion] { completion.complete(Verdict::reject("early")); }).join();
    return Verdict::pending();
  });
  const auto attempt = instance.send({});
  EXPECT_EQ(attempt.code(), TRIGGER_REJECT);
  EXPECT_EQ(attempt.reason(), "early");
  EXPECT_TRUE(instance.violations().empty());
}

TEST_F(SdkPending, LetsTheFirstVerdictCount) {
  auto early = run([](const Context&, const Message& message) {
    message.completion().complete(Verdict::reject("first"));
    return Verdict::ok();
  });
  EXPECT_EQ(early.send({}).code(), TRIGGER_REJECT);
  EXPECT_TRUE(early.violations().empty());

  auto throws = run([](const Context&, const Message& message) -> Verdict {
    message.completion().complete(Verdict::ok());
    throw std::runtime_error("too late");
  });
  EXPECT_EQ(throws.send({}).code(), TRIGGER_OK);
  EXPECT_TRUE(throws.violations().empty());

  auto returned = run([](const Context&, const Message& message) {
    kept.emplace(message.completion());
    return Verdict::ok();
  });
  const auto attempt = returned.send({});
  EXPECT_EQ(attempt.code(), TRIGGER_OK);
  EXPECT_FALSE(kept->complete(Verdict::reject("second")));
  EXPECT_EQ(attempt.code(), TRIGGER_OK);
}

TEST_F(SdkPending, KeepsTheReasonOfAnException) {
  auto instance = run([](const Context&, const Message& message) -> Verdict {
    const Completion completion = message.completion();
    throw std::runtime_error("the connection broke");
  });
  const auto attempt = instance.send({});
  EXPECT_EQ(attempt.code(), TRIGGER_RETRY);
  EXPECT_EQ(attempt.reason(), "the connection broke");
}

TEST_F(SdkPending, HasOneCompletion) {
  auto instance = run([](const Context&, const Message& message) {
    const std::vector<Message> copies = {message};
    const Completion first = message.completion();
    const Completion second = copies[0].completion();
    return Verdict::pending();
  });
  const auto attempt = instance.send({});
  EXPECT_EQ(attempt.code(), TRIGGER_RETRY);
  EXPECT_NE(attempt.reason().find("Completion was taken before"), std::string::npos);
}

TEST_F(SdkPending, IsOverAfterItsDeadline) {
  auto instance = run(keep);
  const auto attempt = instance.send({});
  EXPECT_TRUE(kept->extend(std::chrono::minutes(1)));
  EXPECT_EQ(attempt.extended_ms(), 60'000u);
  attempt.expire();
  EXPECT_FALSE(kept->extend(std::chrono::minutes(2)));
  EXPECT_FALSE(kept->complete(Verdict::ok()));
  EXPECT_EQ(attempt.code(), TRIGGER_RETRY);
  EXPECT_TRUE(instance.violations().empty());
}

TEST_F(SdkPending, ExtendsWhileItIsHandled) {
  auto instance = run([](const Context&, const Message& message) {
    EXPECT_TRUE(message.extend(std::chrono::seconds(90)));
    return Verdict::ok();
  });
  EXPECT_EQ(instance.send({}).extended_ms(), 90'000u);
}

TEST_F(SdkPending, SaysNothingAfterStop) {
  auto instance = run(keep);
  const auto attempt = instance.send({});
  instance.stop();
  EXPECT_EQ(attempt.code(), TRIGGER_RETRY);
  EXPECT_FALSE(kept->extend(std::chrono::seconds(1)));
  EXPECT_FALSE(kept->complete(Verdict::ok()));
  EXPECT_TRUE(instance.violations().empty());
}

TEST_F(SdkPending, SaysNothingWhenDroppedAfterStop) {
  {
    auto instance = run(keep);
    instance.send({});
    instance.stop();
    kept.reset();
    EXPECT_TRUE(instance.violations().empty());
    instance.start();
    instance.send({});
  }
  kept.reset();  // the instance is destroyed
}

// A service with a thread of its own, as one that writes to a database would be.
class Background {
 public:
  explicit Background(const Context&) {}
  void start() {
    stopping_ = false;
    thread_ = std::thread([this] { work(); });
  }
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Verdict handle(const Message& message) {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({message, message.completion()});
    changed_.notify_all();
    return Verdict::pending();
  }

 private:
  struct Job {
    Message message;
    Completion completion;
  };

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (stopping_) return;
      Job job = std::move(jobs_.back());
      jobs_.pop_back();
      lock.unlock();
      // The message is read here, long after handle has returned.
      const bool odd = job.message.payload() == "odd";
      job.completion.complete(odd ? Verdict::reject("odd " + std::string(job.message.topic()))
                                  : Verdict::ok());
      lock.lock();
    }
  }

  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::vector<Job> jobs_;
};

TEST_F(SdkPending, IsCompletedByAThreadOfTheService) {
  auto instance = under_test::plugin_of<Background>().run();
  std::vector<trigger::testing::Attempt> attempts;
  attempts.reserve(200);
  for (int i = 0; i < 200; ++i) {
    attempts.push_back(instance.send({"topic " + std::to_string(i), i % 2 == 0 ? "even" : "odd"}));
  }
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    const auto answer = attempts[i].wait();
    EXPECT_EQ(answer.code, i % 2 == 0 ? TRIGGER_OK : TRIGGER_REJECT);
    if (i % 2 != 0) {
      EXPECT_EQ(answer.reason, "odd topic " + std::to_string(i));
    }
  }
  instance.stop();
  instance.start();
  EXPECT_EQ(instance.send({}).wait().code, TRIGGER_OK);
  EXPECT_TRUE(instance.violations().empty());
}

}  // namespace
