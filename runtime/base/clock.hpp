// The time, behind an interface: the program passes system_clock() in, a test a FakeClock that it
// advances by hand.
#pragma once

#include <chrono>
#include <ctime>

namespace triggerd {

using Monotonic = std::chrono::steady_clock::time_point;
using Millis = std::chrono::milliseconds;
// Microseconds, because the nanoseconds of std::chrono::system_clock end in the year 2262. A
// certificate without an end says 9999, and a request may name any year.
using Wall = std::chrono::sys_time<std::chrono::microseconds>;

// [any]
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Monotonic now() const = 0;
  virtual Wall wall() const = 0;
};

// The operating system's clocks. Monotonic is CLOCK_MONOTONIC, which plugins read too.
const Clock& system_clock();

// Conversions between Wall and the C library's calendar time, both in UTC.
Wall wall_of(std::tm utc);
std::tm utc_of(Wall wall);

}  // namespace triggerd
