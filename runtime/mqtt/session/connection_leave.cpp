// Connection with a clean session that is to end. A member of a shared group that only stops
// reading is dealt messages all the same, and they end with its session: so it unsubscribes first.
#include <fmt/format.h>

#include "mqtt/session/connection.hpp"

namespace triggerd::mqtt {

void Connection::leave(std::function<void()> done) {
  post([done = std::move(done)](Connection& self) {
    self.leave_done_.push_back(done);
    self.begin_leaving();
  });
}

void Connection::begin_leaving() {
  const bool again = std::exchange(leaving_, true);
  if (status_.state == State::up) {
    if (!again) {
      unsubscribe_all();
    } else if (stale_.empty()) {
      tell_left();
    }
  } else if (status_.state == State::off) {
    tell_left();
  } else if (status_.state != State::subscribing) {  // went_up() goes on from there
    apply_wish();
  }
}

void Connection::unsubscribe_all() {
  disarm();
  log_.info("subscription.dropped", fields_, "unsubscribing from {} before the session ends",
            options_.topics.size() == 1 ? fmt::format("\"{}\"", options_.topics.front().filter)
                                        : fmt::format("all {} filters", options_.topics.size()));
  stale_ = wanted_filters();
  unsubscribe_next();
}

void Connection::tell_left() {
  for (const std::function<void()>& done : std::exchange(leave_done_, {})) done();
}

}  // namespace triggerd::mqtt
