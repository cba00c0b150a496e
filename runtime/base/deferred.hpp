// Work that a thread puts off until it holds no lock.
//
//   Deferred deferred;  // what is called from here on may add to it, with locks held
//   ...
//   deferred.run();
//
// Code that finds none on its thread has nowhere to put work off to, and uses another thread.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "base/clock.hpp"

namespace triggerd {

class Deferred {
 public:
  class Work {
   public:
    virtual ~Work() = default;
    // Must not throw. Not `in_time`: others have used up the time there was, so that only what
    // cannot be left out is to be done. [the thread it was put off on]
    virtual void run(bool in_time) = 0;
  };

  // At most one at a time on a thread.
  Deferred() { current_ = this; }
  ~Deferred() { current_ = nullptr; }
  Deferred(const Deferred&) = delete;
  Deferred& operator=(const Deferred&) = delete;

  // Null: there is none.
  static Deferred* of_this_thread() { return current_; }

  void add(std::shared_ptr<Work> work) { work_.push_back(std::move(work)); }
  // Runs all of it, in its order; what is reached after `budget` is told that it is late. Nothing
  // is put off any more.
  void run(Millis budget = kBudget);

 private:
  static constexpr Millis kBudget{5};
  static constinit thread_local Deferred* current_;

  std::vector<std::shared_ptr<Work>> work_;
};

}  // namespace triggerd
