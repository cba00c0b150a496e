// The time, behind a seam: production uses system_clock(), a test turns a FakeClock by hand.
#pragma once

#include <chrono>
#include <ctime>

namespace triggerd {

using Monotonic = std::chrono::steady_clock::time_point;
using Millis = std::chrono::milliseconds;
// Microseconds, because the nanoseconds of std::chrono::system_clock end in the year 2262: a
// certificate without an end says 9999, and a request may ask for any year.
using Wall = std::chrono::sys_time<std::chrono::microseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Monotonic now() const = 0;
  virtual Wall wall() const = 0;
};

// The operating system's clocks. Monotonic is CLOCK_MONOTONIC, which a plugin reads too.
const Clock& system_clock();

// Between Wall and what the C library has for dates. All of it is UTC.
Wall wall_of(std::tm utc);
std::tm utc_of(Wall wall);

}  // namespace triggerd
