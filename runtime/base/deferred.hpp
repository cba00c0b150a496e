// Work that a thread defers until it holds no lock.
//
//   Deferred deferred;  // functions called from here on may add work to it, with locks held
//   ...
//   deferred.run();
//
// Code that finds no Deferred on its thread cannot defer its work and uses another thread.
//
// No lock: it belongs to one thread.
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
    // Must not throw. If not `in_time`, other work has used up the time there was, and this does
    // only what cannot be left out. [the thread that deferred it]
    virtual void run(bool in_time) = 0;
  };

  // There may be at most one on a thread. `clock` outlives it.
  explicit Deferred(const Clock& clock) : clock_(clock) { current_ = this; }
  ~Deferred() { current_ = nullptr; }
  Deferred(const Deferred&) = delete;
  Deferred& operator=(const Deferred&) = delete;

  // Null if there is none.
  static Deferred* of_this_thread() { return current_; }

  void add(std::shared_ptr<Work> work) { work_.push_back(std::move(work)); }
  // Runs all work in the order in which it was added. Work that is reached after `budget` is told
  // that it is not in time. Nothing is deferred any more.
  void run(Millis budget = kBudget);

 private:
  static constexpr Millis kBudget{5};
  static constinit thread_local Deferred* current_;

  const Clock& clock_;
  std::vector<std::shared_ptr<Work>> work_;
};

}  // namespace triggerd
