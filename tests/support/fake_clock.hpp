// A clock that only a test turns.
#pragma once

#include <atomic>

#include "base/clock.hpp"

namespace triggerd::test {

class FakeClock final : public Clock {
 public:
  Monotonic now() const override { return Monotonic(Millis(ms_)); }
  Wall wall() const override { return Wall(Millis(1'700'000'000'000 + ms_ + set_)); }
  void advance(Millis by) { ms_ += by.count(); }
  // Somebody sets the wall clock forward, or back.
  void set_wall(Millis by) { set_ += by.count(); }

 private:
  std::atomic<Millis::rep> ms_{1'000};
  std::atomic<Millis::rep> set_{0};
};

}  // namespace triggerd::test
