// The signals that are the runtime's own: SIGTERM and SIGINT end it, a second one ends it at once,
// SIGHUP reads the configuration again.
//
// The runtime's threads block them, and one thread waits for them. Threads that run a plugin block
// nothing: programs that they start inherit their mask, and nobody could end one with SIGTERM
// blocked. So such a thread may receive one of these signals, and then passes it to the waiting
// thread. The kernel prefers that one if it is the main thread, because it waits in sigwait(): so a
// plugin with signal handlers of its own takes no signal away.
#pragma once

#include <csignal>

#include "base/clock.hpp"

namespace triggerd {

// One for the process, made by the main thread before it starts another thread, and never
// destroyed.
class Signals {
 public:
  Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // The next one. One thread waits at a time. [main, and later the one that waits for the second]
  int wait() const;
  // One that arrives within this time; 0: none did. Signals that were kept for wait() do not count.
  int wait_for(Millis at_most) const;
  // From now on the calling thread is the one that signals are passed to; it will wait soon.
  void wait_here() const;
  // Makes wait() return a signal that another thread has received.
  void keep(int signal) const;
  void hand_to_waiting(int signal) const;
  // Passes to the thread that waits what has arrived at the calling one, which waited before.
  void pass_on() const;

 private:
  sigset_t set_{};
};

}  // namespace triggerd
