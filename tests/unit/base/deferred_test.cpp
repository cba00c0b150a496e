#include "base/deferred.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "support/fake_clock.hpp"

namespace triggerd {
namespace {

class Noting final : public Deferred::Work {
 public:
  Noting(std::vector<std::string>& notes, std::string name)
      : notes_(notes), name_(std::move(name)) {}
  // It takes `takes` by that clock.
  Noting(std::vector<std::string>& notes, std::string name, test::FakeClock& clock, Millis takes)
      : notes_(notes), name_(std::move(name)), clock_(&clock), takes_(takes) {}
  void run(bool in_time) override {
    if (clock_ != nullptr) clock_->advance(takes_);
    notes_.push_back(name_ + (in_time ? "" : " late") +
                     (Deferred::of_this_thread() == nullptr ? "" : " nested"));
  }

 private:
  std::vector<std::string>& notes_;
  const std::string name_;
  test::FakeClock* const clock_ = nullptr;
  const Millis takes_{0};
};

TEST(Deferred, IsOfItsThreadAndRunsInOrder) {
  test::FakeClock clock;
  std::vector<std::string> notes;
  EXPECT_EQ(Deferred::of_this_thread(), nullptr);
  Deferred deferred(clock);
  EXPECT_EQ(Deferred::of_this_thread(), &deferred);
  std::thread([] { EXPECT_EQ(Deferred::of_this_thread(), nullptr); }).join();
  deferred.add(std::make_shared<Noting>(notes, "a"));
  deferred.add(std::make_shared<Noting>(notes, "b"));
  EXPECT_TRUE(notes.empty());
  deferred.run(std::chrono::hours(1));
  EXPECT_EQ(notes, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(Deferred::of_this_thread(), nullptr);
}

TEST(Deferred, TellsThoseThatAreReachedTooLate) {
  test::FakeClock clock;
  std::vector<std::string> notes;
  Deferred deferred(clock);
  deferred.add(std::make_shared<Noting>(notes, "a", clock, Millis(10)));
  deferred.add(std::make_shared<Noting>(notes, "b"));
  deferred.add(std::make_shared<Noting>(notes, "c"));
  deferred.run(Millis(10));
  EXPECT_EQ(notes, (std::vector<std::string>{"a", "b late", "c late"}));
}

TEST(Deferred, WhatIsNotRunIsDropped) {
  test::FakeClock clock;
  std::vector<std::string> notes;
  {
    Deferred deferred(clock);
    deferred.add(std::make_shared<Noting>(notes, "a"));
  }
  EXPECT_TRUE(notes.empty());
  EXPECT_EQ(Deferred::of_this_thread(), nullptr);
}

}  // namespace
}  // namespace triggerd
