// A histogram of durations or sizes with four buckets for each power of two, so that a quantile is
// right to within a fifth, whatever the range.
//
// Relaxed atomics: one writer at a time (under a lock, or on a thread of its own) and any number of
// readers. Adding is a few plain instructions on the machines we support.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace triggerd {

// What a histogram held at one moment.
struct HistogramSnapshot {
  struct Bucket {
    double upper = 0;         // the largest value; in seconds, or in the unit of the sizes
    std::uint64_t count = 0;  // of values in this bucket alone
  };
  std::vector<Bucket> buckets;  // those that are not empty, ascending
  std::uint64_t count = 0;
  double sum = 0;

  // The value that a share (0 to 1) of all values does not exceed; 0 if nothing was counted.
  double quantile(double share) const;
  // How many values are at most `bound`, for Prometheus. A bucket counts wholly or not at all.
  std::uint64_t at_most(double bound) const;
  void add(const HistogramSnapshot& other);
};

class Histogram {
 public:
  // By one thread at a time.
  void add(std::uint64_t value) {
    bump(counts_[bucket_of(value)], 1);
    bump(sum_, value);
  }
  // Divides values by `unit`: 1e9 turns nanoseconds into seconds. [any]
  HistogramSnapshot snapshot(double unit) const;

  static constexpr unsigned kSteps = 4;  // buckets for a power of two
  static constexpr std::size_t kBuckets = std::size_t{45} * kSteps;
  static std::size_t bucket_of(std::uint64_t value);
  // The largest value of a bucket.
  static std::uint64_t upper_of(std::size_t bucket);

 private:
  static void bump(std::atomic<std::uint64_t>& counter, std::uint64_t by) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  std::array<std::atomic<std::uint64_t>, kBuckets> counts_{};
  std::atomic<std::uint64_t> sum_{0};
};

}  // namespace triggerd
