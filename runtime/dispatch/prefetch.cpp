#include "dispatch/prefetch.hpp"

#include <utility>

namespace triggerd::dispatch {

const trigger_message* Prefetch::hand_over(const Attempt& begun) {
  const Attempt& last = ahead_.empty() ? begun : *ahead_.back();
  DeliveryPtr delivery = lanes_.pop_behind(*last.delivery);
  if (!delivery) return nullptr;
  // One that is to be alone, or that may expire meanwhile, waits for its turn.
  if (delivery->crashes.suspect || delivery->message.expires != Monotonic::max()) {
    lanes_.put_back(std::move(delivery));
    return nullptr;
  }
  Attempt& attempt = attempts_.add(std::move(delivery));
  ahead_.push_back(&attempt);
  return &attempt.message;
}

const Attempt& Prefetch::begin_next(Monotonic now) {
  Attempt& attempt = *ahead_.front();
  ahead_.pop_front();
  attempts_.begin(attempt, now);
  return attempt;
}

void Prefetch::take_back() {
  while (!ahead_.empty()) {
    Attempt& attempt = *ahead_.back();
    ahead_.pop_back();
    lanes_.put_back(attempts_.remove(attempt));
  }
}

}  // namespace triggerd::dispatch
