#include "plugin/instance/life_call.hpp"

#include <algorithm>
#include <utility>

#include "base/mutex.hpp"

namespace triggerd::plugin {
namespace {

// How soon a call that is waited for notices that the runtime stops.
constexpr Millis kSlice{50};
// Most calls return at once. Each gets this much of the time that is left,
constexpr Millis kEnough{500};
// and this much where none is left.
constexpr Millis kLeast{100};
constexpr const char* kIdleName = "plugin control";

}  // namespace

CallBound::CallBound(const Patience* patience, Millis usual, const Clock& clock)
    : patience_(patience), clock_(clock), limit_(clock.now() + usual) {}

Monotonic CallBound::end() {
  if (patience_ == nullptr || patience_->end() == seen_) return limit_;
  seen_ = patience_->end();
  const Monotonic now = clock_.now();
  const Monotonic::duration left = seen_ - now;
  const auto share = std::max<Monotonic::duration>(
      {left / 4, std::min<Monotonic::duration>(left, kEnough), kLeast});
  limit_ = std::min(limit_, now + share);
  return limit_;
}

struct LifeThread::Shared {
  // The thread's.
  void run() {
    for (;;) {
      std::function<void()> next;
      std::string name;
      {
        MutexLock lock(mutex);
        while (!call && !ending) changed.wait(mutex);
        if (!call) return;
        next = std::move(call);
        call = nullptr;
        name = call_name;
      }
      {
        const ThreadNameScope scope(name);
        next();
      }
      next = nullptr;
      MutexLock lock(mutex);
      done = true;
      changed.notify_all();
    }
  }

  bool wait(const Patience* patience, Millis usual, const Clock& clock) {
    CallBound bound(patience, usual, clock);
    MutexLock lock(mutex);
    while (!done) {
      const Monotonic limit = bound.end();
      const Monotonic now = clock.now();
      if (now >= limit) return false;
      changed.wait_until(mutex, std::min(limit, now + kSlice));
    }
    return true;
  }

  Mutex mutex;
  CondVar changed;
  std::function<void()> call TRIGGERD_GUARDED_BY(mutex);  // that is to be made
  std::string call_name TRIGGERD_GUARDED_BY(mutex);
  bool done TRIGGERD_GUARDED_BY(mutex) = false;  // with the last one
  bool ending TRIGGERD_GUARDED_BY(mutex) = false;
};

bool LifeThread::call(const std::string& name, std::function<void()> call, const Patience* patience,
                      Millis usual) {
  if (!shared_) {
    auto shared = std::make_shared<Shared>();
    auto started = Thread::start(kIdleName, [shared] { shared->run(); });
    if (!started) {
      const UnblockedSignals unblocked;
      call();
      return true;
    }
    shared_ = std::move(shared);
    thread_ = std::move(*started);
  }
  {
    MutexLock lock(shared_->mutex);
    shared_->call = std::move(call);
    shared_->call_name = name;
    shared_->done = false;
    shared_->changed.notify_all();
  }
  if (shared_->wait(patience, usual, clock_)) return true;
  {
    MutexLock lock(shared_->mutex);
    shared_->ending = true;  // should it return one day
  }
  shared_.reset();
  thread_.give_up();
  return false;
}

bool LifeThread::end(Millis at_most) {
  if (!shared_) return true;
  {
    MutexLock lock(shared_->mutex);
    shared_->ending = true;
    shared_->changed.notify_all();
  }
  shared_.reset();
  return thread_.join(at_most);
}

}  // namespace triggerd::plugin
