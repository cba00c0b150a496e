// A thread of this folder: named, with no signal blocked, and joined with a bound.
//
// std::thread cannot be joined with a bound, and a plugin may keep any thread that runs its code,
// up to the thread_local destructors that run as it ends.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace triggerd::plugin {

class Thread {
 public:
  // For what the system needs to end a thread whose body has returned, and for thread_local
  // destructors of the plugin.
  static constexpr Millis kEndGrace{1'000};

  // Runs `body`, which must not throw. No signal is blocked in it, and so in no thread or program
  // that a plugin starts there: a fault that is blocked ends the process past the handler that a
  // language's runtime has for it, and a program with SIGTERM blocked is ended by nobody.
  static Result<Thread> start(const std::string& name, std::function<void()> body);

  Thread() = default;
  Thread(Thread&& other) noexcept
      : thread_(other.thread_), joinable_(std::exchange(other.joinable_, false)) {}
  Thread& operator=(Thread&& other) noexcept;
  // Detaches. What the thread uses has to be its own by then.
  ~Thread() { detach(); }

  // False: it still runs at `deadline`.
  [[nodiscard]] bool join(Monotonic deadline);
  void detach();
  // The same, of one whose call does not return: it is not taken for a thread of what comes next
  // under its name.
  void give_up();

 private:
  explicit Thread(pthread_t thread) : thread_(thread), joinable_(true) {}

  pthread_t thread_{};
  bool joinable_ = false;
};

// "KIND:NAME" in the 15 bytes that Linux gives a thread's name. A name that does not fit is cut and
// ends in four digits of its hash, so that two long names do not become one.
std::string thread_name(char kind, std::string_view name);

// Gives the calling thread another name for a while. A thread that is started meanwhile inherits
// it, unless it chooses its own: so it shows on whose behalf a plugin's thread was started.
class ThreadNameScope {
 public:
  explicit ThreadNameScope(const std::string& name);
  ~ThreadNameScope();
  ThreadNameScope(const ThreadNameScope&) = delete;
  ThreadNameScope& operator=(const ThreadNameScope&) = delete;

 private:
  char before_[16] = "";
};

// While the calling thread, which is one of the runtime's own, runs a plugin's code: what that
// starts is to have no signal blocked, as on a Thread.
class UnblockedSignals {
 public:
  UnblockedSignals();
  ~UnblockedSignals();
  UnblockedSignals(const UnblockedSignals&) = delete;
  UnblockedSignals& operator=(const UnblockedSignals&) = delete;

 private:
  sigset_t before_{};
};

// How many threads of this process, the calling one aside, have the name `a` or `b`.
std::size_t count_threads_named(std::string_view a, std::string_view b);

}  // namespace triggerd::plugin
