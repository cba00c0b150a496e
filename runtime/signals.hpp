// The signals that are the runtime's own: SIGTERM and SIGINT end it, a second one ends it at once,
// SIGHUP reads the configuration again.
//
// The runtime's threads block them, and one waits for them. Threads that run a plugin block
// nothing: what they start inherits their mask, and a program with SIGTERM blocked could not be
// ended by anybody. So such a thread may be given one of these signals; then it hands it to the
// thread that waits. The kernel prefers that one where it is the main thread, as it waits in
// sigwait(): a plugin whose runtime has handlers of its own for them takes nothing away.
#pragma once

#include <csignal>

#include "base/clock.hpp"

namespace triggerd {

// One for the process, made by the main thread before it starts another one. It stays.
class Signals {
 public:
  Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // The next one. One thread waits at a time. [main, and later the one that waits for the second]
  int wait() const;
  // One that comes within this time; 0: none did. What wait() is to return is not looked at.
  int wait_for(Millis at_most) const;
  // From now on the calling thread is the one that waits, soon.
  void wait_here() const;
  // Is returned by wait(), for which somebody else has waited.
  void keep(int signal) const;
  void hand_to_waiting(int signal) const;

 private:
  sigset_t set_{};
};

}  // namespace triggerd
