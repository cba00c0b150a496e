// Waiting for something that another thread or process does: always with a bound, never for a fixed
// time.
#pragma once

#include <thread>

#include "base/clock.hpp"

namespace triggerd::test {

// The bound of every wait that a test does not bound itself. What is waited for takes milliseconds;
// this is how long a loaded machine under a sanitizer gets. It says nothing about performance.
inline constexpr Millis kPatience{20'000};

// Asks `predicate` until it says yes. False: it never did within `timeout`.
template <class Predicate>
[[nodiscard]] bool eventually(Predicate&& predicate, Millis timeout = kPatience) {
  const Monotonic deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    if (predicate()) return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(Millis(2));
  }
}

}  // namespace triggerd::test
