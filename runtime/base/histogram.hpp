// A histogram of durations or sizes: four buckets for each power of two, so a quantile is right to
// within a fifth, whatever the range.
//
// One writer at a time (a lock, or a thread of its own), any number of readers: all is relaxed
// atomics, and adding is three plain additions on the machines we know.
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
    double upper = 0;         // values up to this; in seconds, or as they are for sizes
    std::uint64_t count = 0;  // in this bucket alone
  };
  std::vector<Bucket> buckets;  // those that hold something, ascending
  std::uint64_t count = 0;
  double sum = 0;

  // The value that a share of 0 to 1 is not above; 0 where nothing was counted.
  double quantile(double share) const;
  // How many are at most `bound`, for Prometheus; a bucket counts with all or nothing.
  std::uint64_t at_most(double bound) const;
  void add(const HistogramSnapshot& other);
};

class Histogram {
 public:
  // Whoever adds is alone: a lock, or one thread.
  void add(std::uint64_t value) {
    bump(counts_[bucket_of(value)], 1);
    bump(sum_, value);
  }
  // `unit` is what one of a snapshot's is in our values: 1e9 for seconds of nanoseconds. [any]
  HistogramSnapshot snapshot(double unit) const;

  static constexpr unsigned kSteps = 4;  // of a power of two
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
