#include "base/deferred.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace triggerd {
namespace {

class Noting final : public Deferred::Work {
 public:
  Noting(std::vector<std::string>& notes, std::string name, Millis takes = Millis(0))
      : notes_(notes), name_(std::move(name)), takes_(takes) {}
  void run(bool in_time) override {
    std::this_thread::sleep_for(takes_);
    notes_.push_back(name_ + (in_time ? "" : " late") +
                     (Deferred::of_this_thread() == nullptr ? "" : " nested"));
  }

 private:
  std::vector<std::string>& notes_;
  const std::string name_;
  const Millis takes_;
};

TEST(Deferred, IsOfItsThreadAndRunsInOrder) {
  std::vector<std::string> notes;
  EXPECT_EQ(Deferred::of_this_thread(), nullptr);
  Deferred deferred;
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
  std::vector<std::string> notes;
  Deferred deferred;
  deferred.add(std::make_shared<Noting>(notes, "a", Millis(20)));
  deferred.add(std::make_shared<Noting>(notes, "b"));
  deferred.add(std::make_shared<Noting>(notes, "c"));
  deferred.run(Millis(10));
  EXPECT_EQ(notes, (std::vector<std::string>{"a", "b late", "c late"}));
}

TEST(Deferred, WhatIsNotRunIsDropped) {
  std::vector<std::string> notes;
  {
    Deferred deferred;
    deferred.add(std::make_shared<Noting>(notes, "a"));
  }
  EXPECT_TRUE(notes.empty());
  EXPECT_EQ(Deferred::of_this_thread(), nullptr);
}

}  // namespace
}  // namespace triggerd
