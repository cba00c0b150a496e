#include "ending.hpp"

#include <unistd.h>

#include <csignal>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "base/mutex.hpp"
#include "base/units.hpp"
#include "check.hpp"

namespace triggerd {
namespace {

// Does nothing if the machine has no thread left for it.
template <class Body>
void run_aside(Body body) {
  try {
    std::thread(std::move(body)).detach();
  } catch (const std::system_error&) {
  }
}

}  // namespace

// What its thread uses, which may outlive the StartWatch a little.
struct StartWatch::Shared {
  Mutex mutex;
  std::function<void()> hurry TRIGGERD_GUARDED_BY(mutex);
  bool hurried TRIGGERD_GUARDED_BY(mutex) = false;
  bool over TRIGGERD_GUARDED_BY(mutex) = false;
};

StartWatch::StartWatch(const Signals& signals, std::function<void()> hurry)
    : signals_(signals), shared_(std::make_shared<Shared>()) {
  static constexpr Millis kLook{100};
  {
    const MutexLock lock(shared_->mutex);
    shared_->hurry = std::move(hurry);
  }
  run_aside([&signals, shared = shared_] {
    {
      const MutexLock lock(shared->mutex);
      if (!shared->over) signals.wait_here();
    }
    for (;;) {
      const int signal = signals.wait_for(kLook);
      const MutexLock lock(shared->mutex);
      if (shared->over) {
        // The handler may have sent one here since.
        for (int last = signal != 0 ? signal : signals.wait_for(Millis{0}); last != 0;
             last = signals.wait_for(Millis{0})) {
          signals.hand_to_waiting(last);
        }
        return;
      }
      if (signal == 0) continue;
      signals.keep(signal);
      if (signal == SIGHUP) continue;
      if (shared->hurried) _exit(kRuntimeFailure);
      shared->hurried = true;
      shared->hurry();
    }
  });
}

bool StartWatch::end() {
  const MutexLock lock(shared_->mutex);
  if (!std::exchange(shared_->over, true)) signals_.wait_here();
  return shared_->hurried;
}

void end_at_the_next(const Signals& signals) {
  run_aside([&signals] {
    while (signals.wait() == SIGHUP) {
    }
    _exit(kRuntimeFailure);
  });
}

void end_when_late(Millis at_most, Log& log) {
  static constexpr Millis kLate{5'000};
  static constexpr Millis kToSay{1'000};
  run_aside([&log, at_most] {
    std::this_thread::sleep_for(at_most + kLate);
    // If nobody reads the log, writing to it may block for ever.
    run_aside([&log, at_most] {
      log.error("runtime.hung", {}, "the shutdown did not finish within {}: exiting now",
                format_duration(at_most));
      _exit(kRuntimeFailure);
    });
    std::this_thread::sleep_for(kToSay);
    _exit(kRuntimeFailure);
  });
}

}  // namespace triggerd
