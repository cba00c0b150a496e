#include "ending.hpp"

#include <unistd.h>

#include <csignal>
#include <future>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "base/mutex.hpp"
#include "base/units.hpp"
#include "check.hpp"

namespace triggerd {
namespace {

// Does nothing, and says so, if the machine has no thread left for it.
template <class Body>
bool run_aside(Body body) {
  try {
    std::thread(std::move(body)).detach();
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

// Runs `body` aside, on the thread that signals are passed to when this returns. One that was
// passed to the calling thread until then would stay there, where nobody waits any more.
template <class Body>
void take_signals_aside(const Signals& signals, Body body) {
  const auto taken = std::make_shared<std::promise<void>>();
  const auto is_taken = taken->get_future();
  const bool runs = run_aside([&signals, taken, body = std::move(body)] {
    signals.wait_here();
    taken->set_value();
    body();
  });
  if (!runs) return;
  is_taken.wait();
  signals.pass_on();
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
  take_signals_aside(signals, [&signals, shared = shared_] {
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
  take_signals_aside(signals, [&signals] {
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
