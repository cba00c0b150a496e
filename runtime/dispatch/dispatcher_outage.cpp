// Dispatcher: while what the service needs is away.
//
// TRIGGER_UNAVAILABLE is no attempt of the message. It goes back before the others of its lane, and
// nothing is handed out until the backoff is over; then one message, and no more before it is known
// what became of it. Anything but the same verdict, or none in time, opens the way again for all.
// What was in the service's hands when the way closed says nothing of it any more.
#include <algorithm>
#include <utility>

#include "dispatch/dispatcher_attempt.hpp"

namespace triggerd::dispatch {
namespace {

// A message that is tried costs little, and what came back is not to wait for long.
constexpr Millis kLongestWait{30'000};

}  // namespace

void Dispatcher::put_off(DeliveryPtr delivery, bool tries, std::uint32_t retry_after_ms,
                         Report& report) {
  ++counts_.unavailable;
  const std::uint32_t attempt = delivery->attempts--;
  const std::string reason =
      delivery->last_reason().empty() ? "the service gave no reason" : delivery->last_reason();
  report.events.emplace_back(event::PutOff{delivery, attempt, reason});
  if (held_) {
    end_trial(false, report);
  } else {
    close_way(tries, reason, retry_after_ms, report);
  }
  lanes_.put_back(std::move(delivery));
  if (may_take()) wake_workers();
}

// `tries`: by the one that was to find out.
void Dispatcher::close_way(bool tries, const std::string& reason, std::uint32_t retry_after_ms,
                           Report& report) {
  if (held_ || (way_.state != Way::State::open && !tries)) return;
  const Monotonic now = timer_.clock().now();
  if (way_.state == Way::State::open) {
    // One that was there for a moment only has not come back.
    if (!way_.opened || now - *way_.opened >= way_.wait) way_.failures = 0;
    way_.closed = now;
    way_.since = timer_.clock().wall();
  }
  ++way_.failures;
  way_.reason = reason;
  Backoff backoff = options_.retry.backoff;
  backoff.max = std::min(backoff.max, std::max(backoff.min, kLongestWait));
  way_.wait = retry_after_ms > 0 ? Millis(retry_after_ms) : backoff.delay(way_.failures, random_());
  // Who stops waits for nobody.
  way_.next = draining_ ? Monotonic::max() : now + way_.wait;
  way_.state = Way::State::closed;
  if (!draining_) {
    if (std::exchange(way_.may_be_open, false)) {
      way_.state = Way::State::due;
    } else {
      arm(way_.next);
    }
  }
  report.events.emplace_back(event::Unavailable{reason, way_.failures, way_.wait});
}

void Dispatcher::open_way(Report& report) {
  if (way_.state != Way::State::tried) return;  // somebody has held or resumed it meanwhile
  const Monotonic now = timer_.clock().now();
  way_.state = Way::State::open;
  way_.opened = now;
  report.events.emplace_back(event::Available{way_.failures, now - way_.closed});
  if (may_take()) wake_workers();
}

// The one that was to find out did not: another one does. Whoever frees its place wakes a worker.
void Dispatcher::try_again(Attempt& attempt) {
  if (std::exchange(attempt.tries, false) && way_.state == Way::State::tried) {
    way_.state = Way::State::due;
  }
}

void Dispatcher::try_way() {
  way_.state = Way::State::due;
  if (may_take()) wake_workers();
}

void Dispatcher::try_now() {
  MutexLock lock(mutex_);
  if (way_.state == Way::State::tried) way_.may_be_open = true;
  if (way_.state == Way::State::closed && !draining_) try_way();
}

std::optional<Dispatcher::Outage> Dispatcher::outage() const {
  MutexLock lock(mutex_);
  if (way_.state == Way::State::open) return std::nullopt;
  return Outage{.since = way_.since, .reason = way_.reason};
}

}  // namespace triggerd::dispatch
