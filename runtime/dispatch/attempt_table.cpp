#include "dispatch/attempt_table.hpp"

#include <algorithm>
#include <chrono>
#include <span>
#include <string_view>
#include <utility>

namespace triggerd::dispatch {
namespace {

trigger_str as_str(std::string_view text) {
  return {text.data(), text.size()};
}

template <class Duration>
auto nanoseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

}  // namespace

AttemptTable::AttemptTable(std::string trigger, Millis timeout)
    : trigger_(std::move(trigger)), timeout_(timeout) {}

Attempt& AttemptTable::add(DeliveryPtr delivery) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(attempts_.size()));
    attempts_.push_back(std::make_unique<Attempt>());
  }
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  Attempt& attempt = *attempts_[slot];
  attempt.in_use = true;
  attempt.state = Attempt::State::ahead;
  attempt.tests_outage = false;
  attempt.let_go = false;
  attempt.delivery = std::move(delivery);
  const Delivery& d = *attempt.delivery;
  trigger_message& view = attempt.message;
  // The serial tells a finished attempt's token from the next one in its slot.
  if (++last_serial_ == 0) ++last_serial_;
  view.token = std::uint64_t{last_serial_} << 32 | slot;
  view.struct_size = sizeof view;
  view.flags = (d.message.retained ? TRIGGER_MESSAGE_RETAIN : 0U) |
               (d.message.dup ? TRIGGER_MESSAGE_DUP : 0U) |
               (d.message.mqtt5 ? TRIGGER_MESSAGE_MQTT5 : 0U);
  view.id = as_str(d.id);
  view.topic = as_str(d.message.topic);
  view.trigger = as_str(trigger_);
  view.payload = {d.message.payload.data(), d.message.payload.size()};
  view.received_unix_ns = nanoseconds(d.message.received.time_since_epoch());
  const auto properties = d.properties ? d.properties->list() : std::span<const trigger_property>();
  view.properties = properties.data();
  view.property_count = properties.size();
  view.attempt = d.attempts + 1;
  view.qos = static_cast<std::uint32_t>(d.message.qos);
  ++in_flight_;
  return attempt;
}

void AttemptTable::begin(Attempt& attempt, Monotonic now) {
  attempt.state = Attempt::State::running;
  attempt.began = now;
  attempt.deadline = now + timeout_;
  attempt.message.deadline_mono_ns =
      static_cast<std::uint64_t>(nanoseconds(attempt.deadline.time_since_epoch()));
  attempt.message.attempt = ++attempt.delivery->attempts;
  last_begun_ = static_cast<std::uint32_t>(attempt.message.token);
}

Attempt* AttemptTable::find(std::uint64_t token) const {
  const auto slot = static_cast<std::uint32_t>(token);
  if (slot >= attempts_.size()) return nullptr;
  Attempt& attempt = *attempts_[slot];
  return attempt.in_use && attempt.message.token == token ? &attempt : nullptr;
}

void AttemptTable::mark_overrunning(Attempt& attempt) {
  attempt.state = Attempt::State::overrunning;
  ++overrunning_;
}

void AttemptTable::mark_expired_pending(Attempt& attempt) {
  if (attempt.state == Attempt::State::overrunning) --overrunning_;
  attempt.state = Attempt::State::expired_pending;
  --in_flight_;
  ++expired_pending_;
}

DeliveryPtr AttemptTable::remove(Attempt& attempt) {
  if (attempt.state == Attempt::State::expired_pending) {
    --expired_pending_;
  } else {
    --in_flight_;
    if (attempt.state == Attempt::State::overrunning) --overrunning_;
  }
  attempt.in_use = false;
  attempt.answer = {};
  free_slots_.push_back(static_cast<std::uint32_t>(attempt.message.token));
  return std::move(attempt.delivery);
}

Monotonic AttemptTable::find_expired(Monotonic now, std::vector<Attempt*>& expired) const {
  Monotonic next = Monotonic::max();
  for (const auto& attempt : attempts_) {
    const bool counts_on = attempt->in_use && (attempt->state == Attempt::State::running ||
                                               attempt->state == Attempt::State::pending);
    if (!counts_on) continue;
    if (attempt->deadline <= now) {
      expired.push_back(attempt.get());
    } else {
      next = std::min(next, attempt->deadline);
    }
  }
  return next;
}

const Attempt* AttemptTable::last_begun() const {
  if (last_begun_ >= attempts_.size()) return nullptr;
  const Attempt& attempt = *attempts_[last_begun_];
  return attempt.in_use ? &attempt : nullptr;
}

}  // namespace triggerd::dispatch
