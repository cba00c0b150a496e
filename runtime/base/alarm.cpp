#include "base/alarm.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace triggerd {

Alarm::Alarm() : timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)) {
  if (!timer_) throw std::system_error(errno, std::generic_category(), "timerfd_create");
}

void Alarm::set(Monotonic when) const {
  itimerspec time{};
  if (when <= Monotonic{}) {
    time.it_value.tv_nsec = 1;  // all zero would be never
  } else if (when != Monotonic::max()) {
    const auto since_boot = when.time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since_boot);
    time.it_value.tv_sec = seconds.count();
    time.it_value.tv_nsec = std::chrono::nanoseconds(since_boot - seconds).count();
  }
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &time, nullptr);
}

void Alarm::wait(Mutex& mutex) const {
  mutex.unlock();
  std::uint64_t rang = 0;
  while (::read(timer_.get(), &rang, sizeof rang) < 0 && errno == EINTR) {
  }
  mutex.lock();
}

}  // namespace triggerd
