// Calls that begin or end the life of an instance, and may hang: create, start, stop, save, restore
// and destroy. Each runs on a thread of its own, which is left alone where the call does not
// return.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "base/clock.hpp"

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

// Runs `call` on a thread called `thread`, and waits for it: at most for `usual`, or for what
// `patience` (which may be null) leaves. False: it has not returned, and goes on for as long as it
// likes; all that it touches has to be its own, or to stay for ever. Where the system has no more
// threads, it runs on this one, without a bound. [control]
[[nodiscard]] bool life_call(const std::string& thread, std::function<void()> call,
                             const Patience* patience, Millis usual);

}  // namespace triggerd::plugin
