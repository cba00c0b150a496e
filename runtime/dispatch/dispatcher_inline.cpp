// Dispatcher: for a brief service, which the thread that has read a message may call itself. It
// saves the wake of a worker.
//
// Only where nothing of the trigger waits or is in the service's hands, so that order, lanes and
// concurrency are as ever; where few messages came together, and for a service that takes batches
// one; and where nothing is to be found out, as with a probe, a trial, or a service whose need may
// be away. Meanwhile no worker takes anything. Whatever stands in the way when the thread gets
// round to it, or comes up meanwhile, leaves the messages to the workers.
//
// The thread takes its messages with no lock held, once the batches of all connections are handed
// over (base/deferred.hpp): the service may publish, and what its instance is, and whether it is
// there yet, is the InlineWorker's business.
#include <utility>

#include "dispatch/dispatcher_attempt.hpp"

namespace triggerd::dispatch {
namespace {

// More than these are worth a worker's wake.
constexpr std::size_t kInlineMessages = 8;
// A call that has not returned by then is told of at once. Sooner ones are judged by how much of
// their time was their own, which is known once they return.
constexpr Millis kInlineHangs{1'000};

}  // namespace

void Dispatcher::set_inline_worker(std::shared_ptr<plugin::InlineWorker> worker) {
  MutexLock lock(mutex_);
  inline_ = std::move(worker);
}

bool Dispatcher::may_run_inline() const {
  return inline_ != nullptr && in_flight_ == 0 && !held_ && !draining_ &&
         way_.state == Way::State::open && !probe_wanted_ && !probe_deadline_;
}

bool Dispatcher::defer_inline(std::size_t messages) {
  Deferred* const deferred = Deferred::of_this_thread();
  if (deferred == nullptr || !may_run_inline() || lanes_.size() != messages) return false;
  if (messages > (max_batch_ == 1 ? kInlineMessages : 1) || !inline_->willing()) return false;
  deferred->add(inline_);
  watch_inline_from(timer_.clock().now());
  return true;
}

const trigger_message* Dispatcher::take_inline() {
  Report report;
  const trigger_message* next = nullptr;
  {
    MutexLock lock(mutex_);
    inline_began_.reset();
    if (may_run_inline()) next = begin_next(report);
    if (next != nullptr) {
      ++counts_.inline_calls;
      inline_began_ = timer_.clock().now();
      inline_thread_ = std::this_thread::get_id();
      watch_inline_from(*inline_began_);
    }
  }
  tell(report);
  return next;
}

void Dispatcher::inline_over(std::optional<Monotonic::duration> too_long) {
  Report report;
  {
    MutexLock lock(mutex_);
    inline_began_.reset();
    if (too_long) end_inline(*too_long, true, report);
    if (probe_wanted_) work_.notify_one();
    if (may_take()) wake_workers();
  }
  tell(report);
  inline_thread_ = std::thread::id();
  sink_.idle();
}

void Dispatcher::watch_inline_from(Monotonic now) {
  if (inline_watch_) return;
  inline_watch_ = now + kInlineHangs;
  arm(*inline_watch_);
}

std::optional<Monotonic> Dispatcher::watch_inline(Monotonic now, Report& report) {
  if (!inline_watch_ || *inline_watch_ > now) return inline_watch_;
  inline_watch_.reset();
  if (!inline_began_) {
    // Another trigger's call may keep the thread that was to come.
    if (may_take()) wake_workers();
    return std::nullopt;
  }
  if (now - *inline_began_ < kInlineHangs) return inline_watch_ = *inline_began_ + kInlineHangs;
  end_inline(now - *inline_began_, false, report);
  return std::nullopt;
}

void Dispatcher::end_inline(Monotonic::duration kept, bool returned, Report& report) {
  if (inline_ == nullptr || !inline_->give_up()) return;
  ++counts_.not_brief;
  report.events.emplace_back(event::NotBrief{kept, returned});
}

bool Dispatcher::is_inline_here() const {
  return inline_thread_.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

std::optional<Monotonic> Dispatcher::inline_since() const {
  MutexLock lock(mutex_);
  return inline_began_;
}

}  // namespace triggerd::dispatch
