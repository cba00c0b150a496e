#include "plugin/process/thread.hpp"

#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <thread>

#include "base/file.hpp"
#include "base/passing.hpp"
#include "plugin/process/sudden_end.hpp"

namespace triggerd::plugin {
namespace {

constexpr std::size_t kMaxName = 15;

struct Start {
  std::string name;
  std::function<void()> body;
};

void unblock_signals(sigset_t* before = nullptr) {
  sigset_t none;
  ::sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, before);
}

void* run(void* argument) noexcept {
  const std::unique_ptr<Start> start(static_cast<Start*>(argument));
  unblock_signals();
  const SignalStack stack;
  ::pthread_setname_np(::pthread_self(), start->name.c_str());
  start->body();
  return nullptr;
}

// FNV-1a, 32 bits.
std::uint32_t hash(std::string_view text) {
  std::uint32_t value = 2166136261u;
  for (const char c : text) value = (value ^ static_cast<std::uint8_t>(c)) * 16777619u;
  return value;
}

}  // namespace

Result<Thread> Thread::start(const std::string& name, std::function<void()> body) {
  auto argument = std::make_unique<Start>(Start{name.substr(0, kMaxName), std::move(body)});
  pthread_t thread{};
  const int error = ::pthread_create(&thread, nullptr, run, argument.get());
  if (error != 0) {
    return fail_with(
        error, "cannot start thread {} (see the limits on threads: ulimit -u, pids.max)", name);
  }
  static_cast<void>(argument.release());  // run() owns it now
  return Thread(thread);
}

Thread& Thread::operator=(Thread&& other) noexcept {
  if (this != &other) {
    detach();
    thread_ = other.thread_;
    joinable_ = std::exchange(other.joinable_, false);
  }
  return *this;
}

bool Thread::join(Millis at_most) {
  // Polled, because the bound of pthread_timedjoin_np is on the wall clock. Owners wait for their
  // own sign of the end first, so there is next to nothing left to wait for here.
  const Monotonic deadline = std::chrono::steady_clock::now() + at_most;
  std::chrono::microseconds pause{20};
  while (joinable_) {
    if (::pthread_tryjoin_np(thread_, nullptr) == 0) {
      joinable_ = false;
    } else if (std::chrono::steady_clock::now() >= deadline) {
      return false;
    } else {
      std::this_thread::sleep_for(pause);
      pause = std::min<std::chrono::microseconds>(pause * 2, Millis(5));
    }
  }
  return true;
}

void Thread::detach() {
  if (std::exchange(joinable_, false)) ::pthread_detach(thread_);
}

void Thread::give_up() {
  if (joinable_) ::pthread_setname_np(thread_, "plugin given up");
  detach();
}

std::string thread_name(char kind, std::string_view name) {
  std::string text = fmt::format("{}:{}", kind, name);
  if (text.size() <= kMaxName) return text;
  return fmt::format("{}~{:04x}", text.substr(0, kMaxName - 5), hash(name) & 0xFFFFu);
}

ThreadNameScope::ThreadNameScope(const std::string& name) {
  ::pthread_getname_np(::pthread_self(), before_, sizeof before_);
  ::pthread_setname_np(::pthread_self(), name.substr(0, kMaxName).c_str());
}

ThreadNameScope::~ThreadNameScope() {
  ::pthread_setname_np(::pthread_self(), before_);
}

UnblockedSignals::UnblockedSignals() {
  unblock_signals(&before_);
}

UnblockedSignals::~UnblockedSignals() {
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

std::size_t count_threads_named(std::string_view a, std::string_view b) {
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks(::opendir("/proc/self/task"), ::closedir);
  if (!tasks) return 0;
  const std::string self = std::to_string(::syscall(SYS_gettid));
  std::size_t count = 0;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this call's own
  while (const dirent* entry = ::readdir(tasks.get())) {
    if (entry->d_name[0] == '.' || self == entry->d_name) continue;
    auto name = read_file(fmt::format("/proc/self/task/{}/comm", entry->d_name), 64);
    if (!name) continue;  // it has ended
    if (!name->empty() && name->back() == '\n') name->pop_back();
    if (*name == a || *name == b) ++count;
  }
  return count;
}

}  // namespace triggerd::plugin
