// Calls that begin or end the life of an instance and may hang: create, start, stop, save, restore
// and destroy. All those of a plugin run on one thread, as ABI 1.0 promises: a service may keep
// something in a thread_local from start to stop. A call that does not return keeps that thread,
// and those that follow get another one.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "plugin/process/thread.hpp"

namespace triggerd::plugin {

// Until when a runtime has time for such calls. Shared by all of its plugins; an atomic. [any]
class Patience {
 public:
  // The runtime stops: calls that are under way and those that come end by then. A call that hangs
  // gets no more than a quarter of the time that is left, so that the others get some.
  void end_by(Monotonic end) { end_ = end.time_since_epoch().count(); }
  // Monotonic::max(): the runtime does not stop.
  Monotonic end() const { return Monotonic(Monotonic::duration(end_.load())); }

 private:
  std::atomic<Monotonic::rep> end_{Monotonic::max().time_since_epoch().count()};
};

// How long one call may take. No lock: each waiter has its own.
class CallBound {
 public:
  // `usual` is its time while the runtime does not stop; `patience` may be null. The clock outlives
  // it.
  CallBound(const Patience* patience, Millis usual, const Clock& clock);
  // When its time is over, as things are now: earlier once the runtime stops.
  Monotonic end();

 private:
  const Patience* const patience_;
  const Clock& clock_;
  Monotonic limit_;
  Monotonic seen_ = Monotonic::max();  // the end that `patience` had when it was last asked
};

// The thread, which is started by the first call. [control]
class LifeThread {
 public:
  // `clock` outlives it.
  explicit LifeThread(const Clock& clock) : clock_(clock) {}
  // Leaves the thread alone where end() has not ended it.
  ~LifeThread() = default;
  LifeThread(const LifeThread&) = delete;
  LifeThread& operator=(const LifeThread&) = delete;

  // Runs `call` on the thread, which has the name `name` meanwhile, and waits for it: at most for
  // `usual`, or for what `patience` (which may be null) leaves. False: it has not returned and may
  // go on for ever, so everything it touches has to be its own or stay for ever. Where the system
  // has no more threads, `call` runs on the calling one, without a bound.
  [[nodiscard]] bool call(const std::string& name, std::function<void()> call,
                          const Patience* patience, Millis usual);
  // Ends the thread, and with it what the plugin keeps there in thread_locals. False: it has not
  // ended in time, in real time whatever the clock is.
  [[nodiscard]] bool end(Millis at_most = Thread::kEndGrace);

 private:
  struct Shared;

  const Clock& clock_;
  std::shared_ptr<Shared> shared_;  // with the thread, which may outlive this
  Thread thread_;
};

}  // namespace triggerd::plugin
