// Connection between two attempts.
#include <fmt/format.h>

#include "base/file.hpp"
#include "base/units.hpp"
#include "config/password_file.hpp"
#include "mqtt/session/connection.hpp"

namespace triggerd::mqtt {
namespace {

// How often one that stays away is told of.
constexpr std::chrono::minutes kTellAgain{5};
// A session that ends sooner after its CONNACK counts as short. 3.1.1 has no reason code, so short
// ones in a row are how a taken client id shows: three where other connections to the server stay,
// and more where there are none that would tell whether it was the server itself.
constexpr Millis kShortSession{30'000};
constexpr std::uint32_t kShortSessionsToReport = 3;
constexpr std::uint32_t kLonelyToReport = 6;
// How often one that waits looks for another password.
constexpr Millis kLookAtPassword{2'000};

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
  look_at_passwords();
}

// ---- Passwords that are in files ----

// The file may be in the middle of being replaced: then the password before may still do.
const config::Secret& Connection::read_again(KeptPassword& password) {
  if (password.file.empty()) return password.value;
  password.look = look_of_file(password.file);
  auto read = config::read_password_file(password.file);
  if (read) {
    password.value = config::Secret(*std::move(read));
    password.problem.clear();
  } else if (password.problem != read.error().message) {
    password.problem = read.error().message;
    log_.warn("password.unreadable", fields_, "the password that was read before stays in use: {}",
              password.problem);
  }
  return password.value;
}

// One that waits because its password was refused, or for whatever else, does not wait any longer
// once there is another one.
void Connection::look_at_passwords() {
  services_.supervisor->cancel(std::exchange(password_timer_, {}));
  if (status_.state != State::waiting) return;
  bool in_a_file = false;
  for (KeptPassword* password : {&password_, &proxy_password_}) {
    if (password->file.empty()) continue;
    in_a_file = true;
    const std::string look = look_of_file(password->file);
    if (std::exchange(password->look, look) == look) continue;
    log_.info("password.changed", fields_, "{} has changed: connecting with what it holds now",
              password->file.string());
    // Not at once: a file that changes all the time must not make us hammer the server.
    arm(options_.reconnect.min, [](Connection& self) { self.begin_round(); });
    return;
  }
  if (!in_a_file) return;
  password_timer_ = services_.supervisor->after(kLookAtPassword, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look_at_passwords();
  });
}

// ---- Whether it is the server, or another client with this client id ----

void Connection::end_of_session(const std::string& request, bool fewer) {
  const auto lasted = services_.supervisor->clock().now() - connected_since_;
  if (fewer) {
    failed_rounds_ = 1;
  } else if (lasted < kShortSession) {
    if (request.empty()) ++short_sessions_;
    ++failed_rounds_;
  } else {
    short_sessions_ = 0;
    failed_rounds_ = 1;
  }
}

// A server of MQTT 5 says it with a reason code (section 3.1.4).
bool Connection::seems_taken() const {
  if (options_.protocol == config::Protocol::v5) return false;
  return short_sessions_ >= (last_loss_->of_one() ? kShortSessionsToReport : kLonelyToReport);
}

// Before the next attempt: by now the other connections have noticed too.
void Connection::look_at_last_loss() {
  if (last_loss_ && last_loss_->of_the_server()) {
    short_sessions_ = 0;
    failed_rounds_ =
        0;  // a server that takes us again may be restarted again: we come back as soon
  }
  last_loss_.reset();
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
