#include "dispatch/inline_calls.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "base/deferred.hpp"
#include "support/fake_clock.hpp"

namespace triggerd::dispatch {
namespace {

class Worker final : public plugin::InlineWorker {
 public:
  void run(bool) override { ++runs; }
  bool willing() const override { return is_willing; }
  bool give_up() override { return !std::exchange(gave_up, true); }

  int runs = 0;
  bool is_willing = true;
  bool gave_up = false;
};

class InlineCallsTest : public testing::Test {
 protected:
  InlineCallsTest() { calls_.set_worker(worker_); }
  static Monotonic at(Millis::rep ms) { return Monotonic(Millis(ms)); }
  bool defer(std::size_t messages, std::size_t max_batch = 1) {
    return calls_.defer(messages, max_batch, at(0));
  }

  triggerd::test::FakeClock clock_;
  std::shared_ptr<Worker> worker_ = std::make_shared<Worker>();
  InlineCalls calls_;
};

TEST_F(InlineCallsTest, AFewMessagesAreLeftToAThreadThatComesBackToThem) {
  EXPECT_FALSE(defer(1)) << "this thread does not";
  Deferred deferred(clock_);
  EXPECT_TRUE(defer(8));
  EXPECT_FALSE(defer(9)) << "worth a worker";
  EXPECT_TRUE(defer(1, 100));
  EXPECT_FALSE(defer(2, 100)) << "worth a batch";
  worker_->is_willing = false;
  EXPECT_FALSE(defer(1));
  calls_.set_worker(nullptr);
  EXPECT_FALSE(defer(1));
  deferred.run();
  EXPECT_EQ(worker_->runs, 2);
}

TEST_F(InlineCallsTest, TheThreadOfACallIsKnownUntilItLeaves) {
  EXPECT_FALSE(calls_.on_this_thread());
  calls_.enter_thread();
  calls_.begin(at(5));
  EXPECT_EQ(calls_.since(), at(5));
  EXPECT_TRUE(calls_.on_this_thread());
  bool elsewhere = true;
  std::thread([&] { elsewhere = calls_.on_this_thread(); }).join();
  EXPECT_FALSE(elsewhere);
  calls_.end_call();
  EXPECT_FALSE(calls_.under_way());
  EXPECT_TRUE(calls_.on_this_thread()) << "it may begin another one";
  calls_.leave_thread();
  EXPECT_FALSE(calls_.on_this_thread());
}

TEST_F(InlineCallsTest, AThreadThatDoesNotComeLeavesTheMessagesToWorkers) {
  EXPECT_FALSE(calls_.look_at());
  Deferred deferred(clock_);
  ASSERT_TRUE(defer(1));
  ASSERT_EQ(calls_.look_at(), at(1'000));
  EXPECT_FALSE(calls_.look(at(999)).wake_workers);
  EXPECT_TRUE(calls_.look(at(1'000)).wake_workers);
  EXPECT_FALSE(calls_.look_at());
}

TEST_F(InlineCallsTest, ACallThatDoesNotReturnIsTheLastOneAndReportedOnce) {
  calls_.begin(at(0));
  calls_.end_call();
  calls_.begin(at(600));
  EXPECT_FALSE(calls_.look(at(1'000)).not_brief) << "this one has just begun";
  ASSERT_EQ(calls_.look_at(), at(1'600));
  const auto look = calls_.look(at(1'600));
  ASSERT_TRUE(look.not_brief);
  EXPECT_EQ(look.not_brief->kept, Millis(1'000));
  EXPECT_FALSE(look.not_brief->returned);
  EXPECT_FALSE(look.wake_workers) << "the call is under way";
  EXPECT_FALSE(calls_.give_up(Millis(1'700), true)) << "that is known";
}

}  // namespace
}  // namespace triggerd::dispatch
