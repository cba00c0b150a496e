#include "inbox/room_budget.hpp"

#include <algorithm>

namespace triggerd::inbox {
namespace {

constexpr std::uint64_t kLeastPortion = 64ULL << 10;
constexpr std::uint64_t kPortionsOfMaxSize = 8;  // that max_size has, at least
constexpr std::uint64_t kLargestWal = 64ULL << 20;
// The WAL is truncated above so many portions.
constexpr std::uint64_t kUntrimmed = 4;
// At once, where the volume has much left.
constexpr std::uint64_t kMostBytes = 16ULL << 20;
constexpr std::uint64_t kShareOfRoom = 16;
// Receiving pauses when the volume has so many portions left, beside what the WAL works in.
constexpr std::uint64_t kKept = 4;
// Receiving goes on when a tenth of max_size has become free.
constexpr double kSizeHysteresis = 0.9;

std::uint64_t minus(std::uint64_t a, std::uint64_t b) {
  return a - std::min(a, b);
}

}  // namespace

RoomBudget::RoomBudget(std::uint64_t max_size, std::uint64_t volume_portion, std::uint64_t working)
    : max_size_(max_size),
      volume_portion_(volume_portion),
      working_(working),
      portion_(std::min(volume_portion, std::max(max_size / kPortionsOfMaxSize, kLeastPortion))),
      wal_limit_(std::clamp(max_size / 2, kUntrimmed * portion_ + portion_,
                            std::max(kLargestWal, kUntrimmed * portion_ + portion_))) {}

std::uint64_t RoomBudget::bytes_at_once() const {
  if (!space_.known) return kMostBytes;
  return std::clamp(space_.available / kShareOfRoom, portion_, kMostBytes);
}

std::uint64_t RoomBudget::wal_allowed() const {
  return cramped_ ? 0 : kUntrimmed * portion_;
}

std::uint64_t RoomBudget::limit() const {
  if (!space_.known) return max_size_;
  const std::uint64_t more =
      minus(left_for_wal() + space_.free, working_ + kKept * volume_portion_);
  return std::min(max_size_, space_.used - space_.wal + more);
}

bool RoomBudget::may_add(std::uint64_t bytes) const {
  if (takes_only_removals()) return false;
  if (!space_.known) return true;
  const std::uint64_t growth = minus(bytes, space_.free);
  const std::uint64_t wal =
      growth == 0 ? bytes : std::max(bytes, volume_portion_) + 2 * volume_portion_;
  return left_for_wal() >= growth + wal + working_;
}

bool RoomBudget::is_worth_shrinking() const {
  return space_.free > space_.used && space_.used < left_for_wal() / 2;
}

RoomBudget::Shortage RoomBudget::why_not() const {
  return wal_is_too_large() ? Shortage::reader : Shortage::volume;
}

RoomBudget::Shortage RoomBudget::judge() {
  over_size_ = is_over_size();
  low_ = space_.known && is_low();
  if (cramped_ || low_ || wal_is_too_large()) return why_not();
  return over_size_ ? Shortage::size : Shortage::none;
}

bool RoomBudget::is_over_size() const {
  const auto limit =
      over_size_ ? static_cast<std::uint64_t>(static_cast<double>(max_size_) * kSizeHysteresis)
                 : max_size_;
  return space_.used > limit;
}

bool RoomBudget::is_low() const {
  const std::uint64_t more = low_ ? volume_portion_ : 0;
  const std::uint64_t left = left_for_wal();
  return left + space_.free < working_ + kKept * volume_portion_ + 2 * more ||
         left < working_ + volume_portion_ + more;
}

}  // namespace triggerd::inbox
