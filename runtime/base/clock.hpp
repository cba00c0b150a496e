// The time, behind a seam: production uses system_clock(), a test turns a FakeClock by hand.
#pragma once

#include <chrono>

namespace triggerd {

using Monotonic = std::chrono::steady_clock::time_point;
using Wall = std::chrono::system_clock::time_point;
using Millis = std::chrono::milliseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Monotonic now() const = 0;
  virtual Wall wall() const = 0;
};

// The operating system's clocks. Monotonic is CLOCK_MONOTONIC, which a plugin reads too.
const Clock& system_clock();

}  // namespace triggerd
