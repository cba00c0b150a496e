// How long things took, in nanoseconds: a log-linear histogram. Each power of two is cut into 128
// equal parts, so a value is known to 0.8 %, from 0 to 36 minutes; longer counts as that. C++17,
// for the plugin.
#ifndef BENCH_COMMON_HISTOGRAM_HPP
#define BENCH_COMMON_HISTOGRAM_HPP

#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

namespace bench {

// add() may come from any thread; what is read meanwhile is of some moment between.
class Histogram {
 public:
  void add(std::uint64_t ns) {
    counts_[index_of(ns)].fetch_add(1, std::memory_order_relaxed);
    std::uint64_t seen = max_.load(std::memory_order_relaxed);
    while (ns > seen && !max_.compare_exchange_weak(seen, ns, std::memory_order_relaxed)) {
    }
  }

  std::uint64_t count() const {
    std::uint64_t total = 0;
    for (const auto& count : counts_) total += count.load(std::memory_order_relaxed);
    return total;
  }
  // Exact.
  std::uint64_t max() const { return max_.load(std::memory_order_relaxed); }

  // The value that `share` (0 to 1) of all values do not exceed: the middle of its part, and never
  // more than max(). 0 where there are none.
  std::uint64_t percentile(double share) const {
    const auto rank = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count())));
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      below += counts_[i].load(std::memory_order_relaxed);
      if (below == 0 || below < rank) continue;
      const std::uint64_t middle = lowest_of(i) + (lowest_of(i + 1) - lowest_of(i)) / 2;
      return middle < max() ? middle : max();
    }
    return 0;
  }

  // One object of JSON.
  std::string json() const {
    return "{\"count\":" + std::to_string(count()) + ",\"p50\":" + std::to_string(percentile(0.5)) +
           ",\"p90\":" + std::to_string(percentile(0.9)) +
           ",\"p99\":" + std::to_string(percentile(0.99)) +
           ",\"p999\":" + std::to_string(percentile(0.999)) + ",\"max\":" + std::to_string(max()) +
           "}";
  }

 private:
  static constexpr unsigned kPartBits = 7;
  static constexpr std::size_t kParts = std::size_t{1} << kPartBits;
  static constexpr unsigned kTopBit = 41;
  static constexpr std::size_t kBuckets = (kTopBit - kPartBits + 1) * kParts;

  // Values below kParts have a part each; from there on, row r holds [kParts << r, kParts << r+1).
  static std::size_t index_of(std::uint64_t ns) {
    if (ns < kParts) return ns;
    if (ns >> kTopBit != 0) return kBuckets - 1;
    const auto row = static_cast<unsigned>(63 - __builtin_clzll(ns)) - kPartBits;
    return (std::size_t{row} << kPartBits) + (ns >> row);
  }
  static std::uint64_t lowest_of(std::size_t index) {
    if (index < 2 * kParts) return index;
    const std::size_t row = (index >> kPartBits) - 1;
    return (kParts + (index & (kParts - 1))) << row;
  }

  std::array<std::atomic<std::uint64_t>, kBuckets> counts_{};
  std::atomic<std::uint64_t> max_{0};
};

// What every contender says at its end: one line of JSON, without the newline.
inline std::string report_line(std::uint64_t received, const Histogram* latency) {
  std::string line = "{\"received\":" + std::to_string(received);
  if (latency != nullptr) line += ",\"latency_ns\":" + latency->json();
  return line + "}";
}

}  // namespace bench

#endif  // BENCH_COMMON_HISTOGRAM_HPP
