#include "signals.hpp"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <initializer_list>

namespace triggerd {
namespace {

constexpr int kOwn[] = {SIGTERM, SIGINT, SIGHUP};

// What the handler reads.
std::atomic<pid_t> runtime_process{0};
std::atomic<pid_t> waiter{0};         // the thread that waits, or will
std::atomic<std::uint32_t> noted{0};  // a bit for each of kOwn

pid_t this_thread() {
  return static_cast<pid_t>(::syscall(SYS_gettid));
}

extern "C" void hand_over(int signal) {
  const int before = errno;
  if (::getpid() != runtime_process.load()) {
    // A process that a plugin has forked and that has not called exec() yet.
    ::signal(signal, SIG_DFL);
    ::raise(signal);
  } else if (this_thread() == waiter.load()) {
    // It is running a plugin, with nothing blocked, and will wait for signals later.
    for (unsigned i = 0; i < std::size(kOwn); ++i) {
      if (kOwn[i] == signal) noted.fetch_or(1U << i);
    }
  } else {
    ::syscall(SYS_tgkill, ::getpid(), waiter.load(), signal);
  }
  errno = before;
}

}  // namespace

Signals::Signals() {
  runtime_process = ::getpid();
  waiter = this_thread();
  ::sigemptyset(&set_);
  for (const int signal : kOwn) ::sigaddset(&set_, signal);
  ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  struct sigaction action {};
  action.sa_handler = hand_over;
  action.sa_mask = set_;
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  for (const int signal : kOwn) ::sigaction(signal, &action, nullptr);
}

void Signals::wait_here() const {
  waiter = this_thread();
}

void Signals::keep(int signal) const {
  for (unsigned i = 0; i < std::size(kOwn); ++i) {
    if (kOwn[i] == signal) noted.fetch_or(1U << i);
  }
}

void Signals::hand_to_waiting(int signal) const {
  ::syscall(SYS_tgkill, ::getpid(), waiter.load(), signal);
}

void Signals::pass_on() const {
  for (int signal = wait_for(Millis{0}); signal != 0; signal = wait_for(Millis{0})) {
    hand_to_waiting(signal);
  }
}

int Signals::wait_for(Millis at_most) const {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at_most);
  const timespec time{.tv_sec = seconds.count(),
                      .tv_nsec = std::chrono::nanoseconds(at_most - seconds).count()};
  const int signal = ::sigtimedwait(&set_, nullptr, &time);
  return signal > 0 ? signal : 0;
}

int Signals::wait() const {
  wait_here();
  const std::uint32_t before = noted.exchange(0);
  for (unsigned i = 0; i < std::size(kOwn); ++i) {
    if ((before & (1U << i)) == 0) continue;
    noted.fetch_or(before & ~((2U << i) - 1U));  // the others, for the next time
    return kOwn[i];
  }
  int signal = 0;
  while (::sigwait(&set_, &signal) != 0) {
  }
  return signal;
}

}  // namespace triggerd
