#include "dispatch/inline_calls.hpp"

#include <utility>

#include "base/deferred.hpp"

namespace triggerd::dispatch {
namespace {

// More than these are worth a worker's wake.
constexpr std::size_t kMostMessages = 8;
// A call that has not returned by then is reported at once. Sooner ones are judged by how much of
// their time was their own, which is known once they return.
constexpr Millis kHangs{1'000};

}  // namespace

bool InlineCalls::defer(std::size_t messages, std::size_t max_batch, Monotonic now) {
  Deferred* const deferred = Deferred::of_this_thread();
  if (deferred == nullptr || !has_worker()) return false;
  if (messages > (max_batch == 1 ? kMostMessages : 1) || !worker_->willing()) return false;
  deferred->add(worker_);
  look_from(now);
  return true;
}

void InlineCalls::begin(Monotonic now) {
  began_ = now;
  look_from(now);
}

std::optional<event::NotBrief> InlineCalls::give_up(Monotonic::duration kept, bool returned) {
  if (!has_worker() || !worker_->give_up()) return std::nullopt;
  return event::NotBrief{kept, returned};
}

void InlineCalls::look_from(Monotonic now) {
  if (!look_at_) look_at_ = now + kHangs;
}

InlineCalls::Look InlineCalls::look(Monotonic now) {
  Look look;
  if (!look_at_ || *look_at_ > now) return look;
  look_at_.reset();
  if (!began_) {
    look.wake_workers = true;
  } else if (now - *began_ < kHangs) {
    look_at_ = *began_ + kHangs;
  } else {
    look.not_brief = give_up(now - *began_, false);
  }
  return look;
}

}  // namespace triggerd::dispatch
