#include "mqtt/session/owned_tasks.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "support/fake_clock.hpp"

namespace triggerd::mqtt {
namespace {

class OwnedTasksTest : public testing::Test {
 protected:
  OwnedTasksTest() { tasks_.owned_by(owner_); }
  void advance(Millis by) {
    clock_.advance(by);
    loop_->run_due();
  }

  triggerd::test::FakeClock clock_;
  const std::shared_ptr<EventLoop> loop_ = std::make_shared<EventLoop>(clock_);
  std::shared_ptr<int> owner_ = std::make_shared<int>(0);
  OwnedTasks tasks_{loop_};
  int ran_ = 0;
};

TEST_F(OwnedTasksTest, RunWhileTheirOwnerLives) {
  tasks_.post([this] { ++ran_; });
  tasks_.after(Millis(10), [this] { ++ran_; });
  advance(Millis(10));
  EXPECT_EQ(ran_, 2);
}

TEST_F(OwnedTasksTest, DoNotRunOnceItIsGone) {
  tasks_.post([this] { ++ran_; });
  tasks_.after(Millis(10), [this] { ++ran_; });
  const auto guarded = tasks_.guarded([this](int) { ++ran_; });
  const auto posted = tasks_.posted([this](int) { ++ran_; });
  posted(1);
  owner_.reset();
  guarded(1);
  posted(1);
  advance(Millis(10));
  EXPECT_EQ(ran_, 0);
}

TEST_F(OwnedTasksTest, KeepTheirOwnerWhileTheyRun) {
  tasks_.post([this] {
    const std::weak_ptr<int> watched = owner_;
    owner_.reset();
    ran_ = watched.expired() ? -1 : 1;
  });
  loop_->run_due();
  EXPECT_EQ(ran_, 1);
}

TEST_F(OwnedTasksTest, APostedCallbackRunsOnTheLoopAndNotWhereItIsCalled) {
  std::string got;
  const auto callback = tasks_.posted([&got](const std::string& text) { got = text; });
  callback(std::string("found"));
  EXPECT_EQ(got, "");
  loop_->run_due();
  EXPECT_EQ(got, "found");
}

TEST_F(OwnedTasksTest, ATimerIsReplacedBySettingItAgain) {
  OwnedTimer timer(tasks_);
  timer.set(Millis(10), [this] { ran_ += 1; });
  timer.set(Millis(20), [this] { ran_ += 10; });
  advance(Millis(20));
  EXPECT_EQ(ran_, 10);
  timer.set(Millis(10), [this] { ran_ += 100; });
  timer.cancel();
  advance(Millis(10));
  EXPECT_EQ(ran_, 10);
}

}  // namespace
}  // namespace triggerd::mqtt
