// Connection between two attempts.
#include <fmt/format.h>

#include "base/units.hpp"
#include "mqtt/connection.hpp"

namespace triggerd::mqtt {
namespace {

// How often one that stays away is told of.
constexpr std::chrono::minutes kTellAgain{5};

}  // namespace

void Connection::wait_and_retry(const std::string& why, Millis delay) {
  enter(State::waiting, why);
  // The same failure again and again is one piece of news, and then one from time to time.
  const Monotonic now = services_.supervisor->clock().now();
  if (last_failure_.empty()) failing_since_ = now;
  const bool is_news = why != last_failure_ || now - failure_told_ >= kTellAgain;
  if (is_news) failure_told_ = now;
  last_failure_ = why;
  const auto lasted = std::chrono::floor<std::chrono::minutes>(now - failing_since_);
  log_.log(
      is_news ? LogLevel::warn : LogLevel::debug, "connection.failed", fields_,
      "{}; next attempt in {}{}", why, format_duration(delay),
      lasted.count() < 1 ? "" : fmt::format("; not connected for {}", format_duration(lasted)));
  arm(delay, [](Connection& self) { self.begin_round(); });
}

// Whoever took the client id reconnects as we do: two that insist would take turns for ever.
void Connection::client_id_taken(const std::string& why) {
  log_.error("connection.client_id_taken", fields_,
             "{} {}: another client seems to use client id \"{}\"; give one of them another "
             "client_id",
             status_.server, why, options_.client_id);
  wait_and_retry(
      fmt::format("client id \"{}\" seems to be taken by another client", options_.client_id),
      options_.reconnect.max);
}

}  // namespace triggerd::mqtt
