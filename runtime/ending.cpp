#include "ending.hpp"

#include <unistd.h>

#include <csignal>
#include <thread>

#include "base/units.hpp"
#include "check.hpp"

namespace triggerd {

void end_at_the_next(const Signals& signals) {
  std::thread([&signals] {
    while (signals.wait() == SIGHUP) {
    }
    _exit(kRuntimeFailure);
  }).detach();
}

void end_when_late(Millis at_most, Log& log) {
  static constexpr Millis kLate{5'000};
  static constexpr Millis kToSay{1'000};
  std::thread([&log, at_most] {
    std::this_thread::sleep_for(at_most + kLate);
    // Where nobody reads what is logged, saying so may take for ever.
    std::thread([&log, at_most] {
      log.error("runtime.stuck", {}, "not ended within {}: the process ends now",
                format_duration(at_most));
      _exit(kRuntimeFailure);
    }).detach();
    std::this_thread::sleep_for(kToSay);
    _exit(kRuntimeFailure);
  }).detach();
}

}  // namespace triggerd
