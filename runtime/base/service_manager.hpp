// Tells the service manager that started this process (systemd) about its state, by the protocol of
// sd_notify(3).
//
// It sends datagrams to the socket that NOTIFY_SOCKET names, or nothing if that is not set. The
// protocol is stable and five lines long, so it needs no library. Constant after construction, so
// any thread may use it. Nothing blocks, and nothing fails: a manager that does not listen is not
// our problem.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace triggerd {

class ServiceManager {
 public:
  // The values of NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; null for those that are not set.
  ServiceManager(const char* socket, const char* watchdog_usec, const char* watchdog_pid);
  static ServiceManager of_environment();

  void ready() const;
  // The configuration is being read again; ready() ends it.
  void reloading() const;
  // The process is stopping, which takes `at_most`.
  void stopping(Millis at_most) const;
  // Has to be called once in every watchdog(), or the manager takes this process for hung and ends
  // it.
  void alive() const;
  // How often alive() has to be called: half of the time that the manager waits. nullopt: never.
  std::optional<Millis> watchdog() const { return watchdog_; }

 private:
  void say(std::string_view text) const;

  std::string socket_;
  std::optional<Millis> watchdog_;
};

}  // namespace triggerd
