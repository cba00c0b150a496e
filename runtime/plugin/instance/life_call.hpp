// Calls that begin or end the life of an instance, and may hang: create, start, stop, save, restore
// and destroy. All those of a plugin run on one thread, as ABI 1.0 says of them: a service may keep
// something in a thread_local from start to stop. Only a call that does not return is left alone
// with that thread, and those that follow get another one.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "plugin/process/thread.hpp"

namespace triggerd::plugin {

// Until when a runtime has time for such calls. Shared by all of its plugins. [any]
class Patience {
 public:
  // The runtime stops: what is under way and what comes has ended by then. A call that hangs is
  // waited for no longer than for a quarter of what is left, so that time is left for the others.
  void end_by(Monotonic end) { end_ = end.time_since_epoch().count(); }
  // Monotonic::max(): it does not stop.
  Monotonic end() const { return Monotonic(Monotonic::duration(end_.load())); }

 private:
  std::atomic<Monotonic::rep> end_{Monotonic::max().time_since_epoch().count()};
};

// How long a call may still take.
class CallBound {
 public:
  // `usual` is its time where the runtime does not stop; `patience` may be null.
  CallBound(const Patience* patience, Millis usual);
  // When it has had its time, as things are now: less once the runtime stops.
  Monotonic end();

 private:
  const Patience* const patience_;
  Monotonic limit_;
  Monotonic seen_ = Monotonic::max();  // what `patience` said last
};

// The thread, which begins with the first call. [control]
class LifeThread {
 public:
  LifeThread() = default;
  // Left alone where end() has not ended it.
  ~LifeThread() = default;
  LifeThread(const LifeThread&) = delete;
  LifeThread& operator=(const LifeThread&) = delete;

  // Runs `call` on the thread, which is called `name` meanwhile, and waits for it: at most for
  // `usual`, or for what `patience` (which may be null) leaves. False: it has not returned, and
  // goes on for as long as it likes; all that it touches has to be its own, or to stay for ever.
  // Where the system has no more threads, it runs on the calling one, without a bound.
  [[nodiscard]] bool call(const std::string& name, std::function<void()> call,
                          const Patience* patience, Millis usual);
  // Ends the thread, and with it what the plugin keeps there in a thread_local. False: it has not
  // ended in time.
  [[nodiscard]] bool end();

 private:
  struct Shared;

  std::shared_ptr<Shared> shared_;  // with the thread, which may outlive this
  Thread thread_;
};

}  // namespace triggerd::plugin
