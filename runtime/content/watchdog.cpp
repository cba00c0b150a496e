#include "content/watchdog.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>

namespace triggerd::content {
namespace {

// After so many looks without a program it waits to be told of one.
constexpr unsigned kIdle = 100;

std::chrono::nanoseconds time_of(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

std::shared_ptr<Watchdog> Watchdog::shared() {
  static Mutex mutex;
  static std::weak_ptr<Watchdog> of_process;
  const MutexLock lock(mutex);
  std::shared_ptr<Watchdog> one = of_process.lock();
  if (!one) of_process = one = std::make_shared<Watchdog>();
  return one;
}

Watchdog::Watchdog() : thread_([this] { look_on(); }) {
  ::pthread_setname_np(thread_.native_handle(), "jq-watchdog");
}

Watchdog::~Watchdog() {
  {
    const MutexLock lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

// A program is stopped with the lock held, and its end takes the lock: so none is stopped that has
// ended.
void Watchdog::look_on() {
  const MutexLock lock(mutex_);
  while (!ending_) {
    for (Run* const run : running_) {
      if (run->stopped_ || !run->over()) continue;
      run->stopped_ = true;
      jq_halt(&run->program_, jv_invalid(), jv_invalid());
    }
    idle_looks_ = running_.empty() ? idle_looks_ + 1 : 0;
    if (idle_looks_ < kIdle) {
      changed_.wait_until(mutex_, std::chrono::steady_clock::now() + kLook);
      continue;
    }
    asleep_ = true;
    while (asleep_ && !ending_) changed_.wait(mutex_);
    idle_looks_ = 0;
  }
}

Watchdog::Run::Run(Watchdog& watchdog, jq_state& program, Millis limit)
    : watchdog_(watchdog), program_(program) {
  ::pthread_getcpuclockid(::pthread_self(), &clock_);
  until_ = time_of(clock_) + limit;
  const MutexLock lock(watchdog_.mutex_);
  watchdog_.running_.push_back(this);
  watchdog_.idle_looks_ = 0;
  if (watchdog_.asleep_) {
    watchdog_.asleep_ = false;
    watchdog_.changed_.notify_all();
  }
}

Watchdog::Run::~Run() {
  const MutexLock lock(watchdog_.mutex_);
  std::erase(watchdog_.running_, this);
}

bool Watchdog::Run::stopped() const {
  const MutexLock lock(watchdog_.mutex_);
  return stopped_;
}

bool Watchdog::Run::over() const {
  return time_of(clock_) >= until_;
}

}  // namespace triggerd::content
