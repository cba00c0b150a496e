// Whether the threads that everything depends on still run.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/event_loop.hpp"
#include "control/running/registry.hpp"

namespace triggerd::control {

// Has the supervisor and the timer beat once a second, and considers a thread hung if its last beat
// is old. The receive thread is hung if a brief service blocks it.
class Liveness {
 public:
  // All outlive it; the loops have one clock.
  Liveness(EventLoop& supervisor, EventLoop& timer, const Registry& registry)
      : supervisor_(supervisor), timer_(timer), registry_(registry) {}

  // Both loops beat from now on. [main, before their threads]
  void begin();
  // What is hung, one line each; empty: nothing is. [any]
  std::vector<std::string> reasons() const;
  // From now on calls `alive` about once each `interval`, on the supervisor, as long as both loops
  // run and no service blocks the receive thread. [main]
  void beat(Millis interval, std::function<void()> alive);

 private:
  using Beat = std::atomic<Monotonic::rep>;

  static void beat(EventLoop& loop, Beat& last);
  bool is_hung(const Beat& last) const;
  std::optional<std::string> hung_receiver() const;

  EventLoop& supervisor_;
  EventLoop& timer_;
  const Registry& registry_;
  Beat supervisor_beat_{0};
  Beat timer_beat_{0};
};

}  // namespace triggerd::control
