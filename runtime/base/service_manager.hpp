// Tells whoever started this process how it is: systemd, by the protocol of sd_notify(3).
//
// Datagrams to the socket that NOTIFY_SOCKET names; without it nothing is said. The protocol is
// stable and five lines long, so no library is needed for it. Constant after construction, any
// thread; nothing blocks and nothing fails: a manager that does not listen is its own affair.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace triggerd {

class ServiceManager {
 public:
  // The values of NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; null where they are not set.
  ServiceManager(const char* socket, const char* watchdog_usec, const char* watchdog_pid);
  static ServiceManager of_environment();

  void ready() const;
  // The configuration is being read again; ready() ends it.
  void reloading() const;
  // It takes so long at most.
  void stopping(Millis at_most) const;
  // To be said within each watchdog(), or the manager takes this process for stuck and ends it.
  void alive() const;
  // How often alive() is wanted: half of what the manager waits. nullopt: not at all.
  std::optional<Millis> watchdog() const { return watchdog_; }

 private:
  void say(std::string_view text) const;

  std::string socket_;
  std::optional<Millis> watchdog_;
};

}  // namespace triggerd
