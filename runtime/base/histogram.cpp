#include "base/histogram.hpp"

#include <algorithm>
#include <bit>
#include <map>

namespace triggerd {

// Values below kSteps have a bucket each; above, the two bits behind the leading one choose.
std::size_t Histogram::bucket_of(std::uint64_t value) {
  if (value < kSteps) return value;
  const unsigned octave = static_cast<unsigned>(std::bit_width(value)) - 1;
  const std::uint64_t step = (value >> (octave - 2)) & (kSteps - 1);
  return std::min<std::size_t>(std::size_t{octave - 1} * kSteps + step, kBuckets - 1);
}

std::uint64_t Histogram::upper_of(std::size_t bucket) {
  if (bucket < kSteps) return bucket;
  const std::size_t octave = bucket / kSteps + 1;
  const std::uint64_t step = bucket % kSteps;
  return ((kSteps + step + 1) << (octave - 2)) - 1;
}

HistogramSnapshot Histogram::snapshot(double unit) const {
  HistogramSnapshot taken;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    const std::uint64_t count = counts_[i].load(std::memory_order_relaxed);
    if (count == 0) continue;
    taken.buckets.push_back({.upper = static_cast<double>(upper_of(i)) / unit, .count = count});
    taken.count += count;
  }
  taken.sum = static_cast<double>(sum_.load(std::memory_order_relaxed)) / unit;
  return taken;
}

double HistogramSnapshot::quantile(double share) const {
  const double wanted = share * static_cast<double>(count);
  std::uint64_t seen = 0;
  for (const Bucket& bucket : buckets) {
    seen += bucket.count;
    if (static_cast<double>(seen) >= wanted) return bucket.upper;
  }
  return 0;
}

std::uint64_t HistogramSnapshot::at_most(double bound) const {
  std::uint64_t seen = 0;
  for (const Bucket& bucket : buckets) {
    if (bucket.upper > bound) break;
    seen += bucket.count;
  }
  return seen;
}

void HistogramSnapshot::add(const HistogramSnapshot& other) {
  std::map<double, std::uint64_t> all;
  for (const Bucket& bucket : buckets) all[bucket.upper] += bucket.count;
  for (const Bucket& bucket : other.buckets) all[bucket.upper] += bucket.count;
  buckets.clear();
  for (const auto& [upper, n] : all) buckets.push_back({.upper = upper, .count = n});
  count += other.count;
  sum += other.sum;
}

}  // namespace triggerd
