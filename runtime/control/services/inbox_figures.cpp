#include "control/services/inbox_figures.hpp"

#include <algorithm>

namespace triggerd::control {
namespace {

// Figures are counted anew each time as long as that is quick; else they are kept for some times as
// long as counting took, but never for longer than the last of these.
constexpr Millis kCheapCount{20};
constexpr int kRestAfterCount = 10;
constexpr Millis kOldestCount{2'000};

}  // namespace

inbox::Figures InboxFigures::now() const {
  const Monotonic began = clock_.now();
  {
    const MutexLock lock(mutex_);
    while (counting_ && !last_) counted_.wait(mutex_);
    if (last_ && (counting_ || began < good_until_)) return *last_;
    counting_ = true;
  }
  auto read = inbox_.figures();
  const MutexLock lock(mutex_);
  counting_ = false;
  counted_.notify_all();
  if (!read) return last_.value_or(inbox::Figures());
  last_ = *std::move(read);
  const Monotonic::duration took = clock_.now() - began;
  good_until_ = took < kCheapCount ? Monotonic()
                                   : clock_.now() + std::min<Monotonic::duration>(
                                                        took * kRestAfterCount, kOldestCount);
  return *last_;
}

}  // namespace triggerd::control
