// The time that a service under test sees. Included by trigger/testing.hpp.
#ifndef TRIGGER_TESTING_CLOCK_HPP
#define TRIGGER_TESTING_CLOCK_HPP

#include <trigger/clock.h>

#include <atomic>
#include <chrono>
#include <cstdint>

namespace trigger {
namespace testing {
namespace detail {

// Begins at the present and stands still until it is moved. Messages get their times from it, and
// services that ask for the extension "trigger.clock/1" see it. Any thread.
class FakeClock {
 public:
  FakeClock() {
    table_.struct_size = sizeof(table_);
    table_.ctx = this;
    table_.unix_ns = [](void* ctx) { return static_cast<FakeClock*>(ctx)->unix_ns(); };
    table_.mono_ns = [](void* ctx) { return static_cast<FakeClock*>(ctx)->mono_ns(); };
  }
  FakeClock(const FakeClock&) = delete;
  FakeClock& operator=(const FakeClock&) = delete;

  void advance(std::chrono::nanoseconds by) noexcept { passed_ns_ += by.count(); }

  std::int64_t unix_ns() const noexcept { return unix_start_ns_ + passed_ns_; }
  std::uint64_t mono_ns() const noexcept {
    return static_cast<std::uint64_t>(mono_start_ns_ + passed_ns_);
  }

  const trigger_clock& table() const noexcept { return table_; }

 private:
  template <class Clock>
  static std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
        .count();
  }

  const std::int64_t unix_start_ns_ = now_ns<std::chrono::system_clock>();
  const std::int64_t mono_start_ns_ = now_ns<std::chrono::steady_clock>();
  std::atomic<std::int64_t> passed_ns_{0};
  trigger_clock table_{};
};

}  // namespace detail
}  // namespace testing
}  // namespace trigger

#endif  // TRIGGER_TESTING_CLOCK_HPP
