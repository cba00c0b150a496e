#include "mqtt/wire/keep_alive.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.hpp"

namespace triggerd::mqtt::wire {

KeepAlive::Verdict KeepAlive::look(Monotonic now, bool in_packet) {
  using Action = Verdict::Action;
  if (in_packet) {
    // A ping that waits behind it has not been asked yet.
    if (pinged_.load() != Monotonic{}) pinged_ = now;
    if (now < std::max(sent_.load(), received_) + keep_alive_ + patience()) {
      return {Action::none, now + patience()};
    }
    return {Action::end, Monotonic::max(), "accepts none of the data sent to it"};
  }
  const Monotonic pinged = pinged_;
  if (pinged != Monotonic{}) {
    const Monotonic overdue = pinged + patience();
    if (now < overdue) return {Action::none, overdue};
    return {Action::end, Monotonic::max(), "has not answered a ping"};
  }
  const Monotonic due = std::min(sent_.load(), received_) + keep_alive_;
  if (now < due) return {Action::none, due};
  pinged_ = now;
  return {Action::ping, now + patience()};
}

std::string KeepAlive::end_text(Monotonic now, std::string_view why) const {
  return fmt::format("the server has been silent for {}, and {}; keep_alive is {}",
                     format_duration(std::chrono::floor<Millis>(now - received_)), why,
                     format_duration(keep_alive_));
}

}  // namespace triggerd::mqtt::wire
