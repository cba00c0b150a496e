// A thread that runs a plugin's code: named, with no signal blocked, and joined with a time limit.
//
// std::thread cannot be joined with a time limit, and a plugin may hang any thread that runs its
// code, up to the thread_local destructors that run as it ends.
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
  // For what is left once the body has returned: the system's work, and thread_local destructors of
  // the plugin. Long enough for a machine that has other things to do: a thread that is given up
  // keeps its library loaded until a restart.
  static constexpr Millis kEndGrace{5'000};

  // Runs `body`, which must not throw, with no signal blocked, so that none is blocked in threads
  // and programs that a plugin starts there. A blocked fault would end the process without the
  // handler that a language's runtime has for it, and a program with SIGTERM blocked could not be
  // ended.
  static Result<Thread> start(const std::string& name, std::function<void()> body);

  Thread() = default;
  Thread(Thread&& other) noexcept
      : thread_(other.thread_), joinable_(std::exchange(other.joinable_, false)) {}
  Thread& operator=(Thread&& other) noexcept;
  // Detaches the thread, which by then may use only what it owns.
  ~Thread() { detach(); }

  // Waits for its end for at most this long, in real time whatever clock is injected elsewhere.
  // False: it still runs.
  [[nodiscard]] bool join(Millis at_most);
  void detach();
  // Detaches a thread whose call does not return, and renames it, so that it is not taken for a
  // thread of whatever has its name next.
  void give_up();

 private:
  explicit Thread(pthread_t thread) : thread_(thread), joinable_(true) {}

  pthread_t thread_{};
  bool joinable_ = false;
};

// "KIND:NAME" in the 15 bytes that Linux has for a thread's name. A name that does not fit is cut
// and ends in four digits of its hash, so that two long names stay different.
std::string thread_name(char kind, std::string_view name);

// Gives the calling thread another name while it lives. Threads that are started meanwhile inherit
// it unless they choose their own, which shows for which trigger a plugin started them.
class ThreadNameScope {
 public:
  explicit ThreadNameScope(const std::string& name);
  ~ThreadNameScope();
  ThreadNameScope(const ThreadNameScope&) = delete;
  ThreadNameScope& operator=(const ThreadNameScope&) = delete;

 private:
  char before_[16] = "";
};

// Unblocks all signals while it lives, on a thread of the runtime's own that runs a plugin's code:
// threads and programs that the plugin starts there get no signal blocked, as on a Thread.
class UnblockedSignals {
 public:
  UnblockedSignals();
  ~UnblockedSignals();
  UnblockedSignals(const UnblockedSignals&) = delete;
  UnblockedSignals& operator=(const UnblockedSignals&) = delete;

 private:
  sigset_t before_{};
};

// How many threads of this process, not counting the calling one, have the name `a` or `b`.
std::size_t count_threads_named(std::string_view a, std::string_view b);

}  // namespace triggerd::plugin
