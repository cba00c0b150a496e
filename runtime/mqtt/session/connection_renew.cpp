// Connection with new TLS material: the connection there is goes on with what it began with, so it
// is ended in good order and made again. The server keeps the session, and what comes meanwhile.
#include "mqtt/session/connection.hpp"
#include "mqtt/tls/material.hpp"

namespace triggerd::mqtt {
namespace {

// For the server to confirm what was published.
constexpr Millis kConfirmLimit{2'000};
constexpr Millis kLookAgain{50};

}  // namespace

std::optional<Wall> Connection::certificate_ends() const {
  return options_.tls ? options_.tls->get()->not_after() : std::nullopt;
}

void Connection::renew() {
  post([](Connection& self) {
    // All connections of an alias hear of it at once; their server need not see them all at once.
    const auto spread = std::chrono::duration_cast<Millis>(
        std::chrono::duration<double, std::milli>(self.options_.reconnect.min) *
        self.services_.random());
    const Monotonic latest = self.services_.supervisor->clock().now() + spread + kConfirmLimit;
    self.renew_after(spread, latest);
  });
}

void Connection::renew_after(Millis delay, Monotonic latest) {
  services_.supervisor->after(delay, [weak = weak_from_this(), latest] {
    if (const auto self = weak.lock()) self->renew_now(latest);
  });
}

void Connection::renew_now(Monotonic latest) {
  if (!should_connect() || material_ == options_.tls->get()) return;
  if (status_.state == State::waiting) {
    disarm();
    begin_round();
    return;
  }
  const bool confirmed = publishes_.empty() || services_.supervisor->clock().now() >= latest;
  if (status_.state != State::up || !confirmed) {
    renew_after(kLookAgain, latest);
    return;
  }
  log_.info("connection.renewing", fields_, "connecting to {} again, with new certificates",
            status_.server);
  client_->flush_acknowledgements();
  begin_disconnect();
}

}  // namespace triggerd::mqtt
