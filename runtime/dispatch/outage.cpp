#include "dispatch/outage.hpp"

#include <algorithm>
#include <utility>

namespace triggerd::dispatch {
namespace {

// A message that is tried costs little, and what came back is not to wait for long.
constexpr Millis kLongestWait{30'000};

}  // namespace

Outage::Outage(const Backoff& backoff, const Clock& clock, const Random& random)
    : backoff_(backoff), clock_(clock), random_(random) {
  backoff_.max = std::min(backoff_.max, std::max(backoff_.min, kLongestWait));
}

std::optional<Monotonic> Outage::waits_until() const {
  if (state_ != State::waiting) return std::nullopt;
  return next_;
}

std::optional<event::Unavailable> Outage::begin(bool tested, const std::string& reason,
                                                Millis retry_after, bool draining) {
  if (state_ != State::over && !tested) return std::nullopt;
  const Monotonic now = clock_.now();
  if (state_ == State::over) {
    // If the last outage ended only a moment ago, this is the same one.
    if (!ended_ || now - *ended_ >= wait_) failures_ = 0;
    began_ = now;
    since_ = clock_.wall();
  }
  ++failures_;
  reason_ = reason;
  wait_ = retry_after > Millis(0) ? retry_after : backoff_.delay(failures_, random_());
  next_ = draining ? Monotonic::max() : now + wait_;
  state_ = State::waiting;
  if (!draining && std::exchange(test_at_once_, false)) state_ = State::due;
  return event::Unavailable{reason, failures_, wait_};
}

std::optional<event::Available> Outage::end() {
  if (state_ != State::testing) return std::nullopt;  // it was reset meanwhile
  const Monotonic now = clock_.now();
  state_ = State::over;
  ended_ = now;
  return event::Available{failures_, now - began_};
}

void Outage::test_again() {
  if (state_ == State::testing) state_ = State::due;
}

bool Outage::test_now() {
  if (state_ != State::waiting) return false;
  state_ = State::due;
  return true;
}

bool Outage::may_be_over() {
  if (state_ == State::testing) test_at_once_ = true;
  return test_now();
}

void Outage::reset() {
  state_ = State::over;
  failures_ = 0;
  wait_ = {};
  test_at_once_ = false;
  ended_.reset();
}

std::optional<Outage::View> Outage::view() const {
  if (state_ == State::over) return std::nullopt;
  return View{.since = since_, .reason = reason_};
}

}  // namespace triggerd::dispatch
