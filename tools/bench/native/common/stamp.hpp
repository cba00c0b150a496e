// The front of every paced message's payload: when it was due to leave, by both clocks. 20 digits
// of CLOCK_MONOTONIC in nanoseconds, a space, 20 digits of CLOCK_REALTIME. Text, so that a
// contender in any language can read it; C++17, for the plugin.
#ifndef BENCH_COMMON_STAMP_HPP
#define BENCH_COMMON_STAMP_HPP

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace bench {

constexpr std::size_t kStampDigits = 20;
constexpr std::size_t kStampSize = 2 * kStampDigits + 1;

inline std::uint64_t clock_ns(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(t.tv_nsec);
}
inline std::uint64_t monotonic_ns() {
  return clock_ns(CLOCK_MONOTONIC);
}

struct Stamp {
  std::uint64_t monotonic = 0;
  std::uint64_t wall = 0;
  static Stamp now() { return {monotonic_ns(), clock_ns(CLOCK_REALTIME)}; }
};

inline void append_digits(std::string& out, std::uint64_t value) {
  char digits[kStampDigits];
  for (std::size_t i = kStampDigits; i-- > 0; value /= 10) {
    digits[i] = static_cast<char>('0' + value % 10);
  }
  out.append(digits, kStampDigits);
}

// A payload of `size` bytes, at least kStampSize.
inline void append_stamped(std::string& out, const Stamp& stamp, std::size_t size) {
  append_digits(out, stamp.monotonic);
  out += ' ';
  append_digits(out, stamp.wall);
  out.append(size - kStampSize, '.');
}

// The monotonic time in a payload; nullopt for one that does not begin with it.
inline std::optional<std::uint64_t> stamp_of(std::string_view payload) {
  if (payload.size() < kStampSize || payload[kStampDigits] != ' ') return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < kStampDigits; ++i) {
    if (payload[i] < '0' || payload[i] > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(payload[i] - '0');
  }
  return value;
}

}  // namespace bench

#endif  // BENCH_COMMON_STAMP_HPP
