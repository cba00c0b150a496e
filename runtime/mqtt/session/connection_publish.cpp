// Connection that publishes: what the server takes now, and what waits until it does.
#include <fmt/format.h>

#include <algorithm>

#include "base/units.hpp"
#include "mqtt/session/connection.hpp"

namespace triggerd::mqtt {
namespace {

constexpr Millis kLookAtWaiting{1'000};
constexpr int kSentAtOnce = 64;
// A server that confirms nothing for so long has forgotten what it was sent, and only a new
// connection sends it again (MQTT 3.1.1 and 5, section 4.4).
constexpr Millis kStalled{60'000};

}  // namespace

// How many messages of QoS 1 and 2 may be in flight.
std::size_t Connection::window(const Welcome& welcome) const {
  std::size_t window = options_.max_inflight.value_or(static_cast<std::uint16_t>(
      welcome.receive_maximum ? Publishes::kCapacity : Publishes::kDefaultWindow));
  if (welcome.receive_maximum) window = std::min<std::size_t>(window, *welcome.receive_maximum);
  return std::max<std::size_t>(window, 1);
}

tl::expected<void, PublishError> Connection::publish(const PublishRequest& request,
                                                     PublishDone done) {
  if (!can_publish_) return tl::make_unexpected(PublishError::not_connected);
  const Monotonic now = services_.supervisor->clock().now();
  const auto begun = publishes_.begin(request, std::move(done), now);
  if (!begun) return tl::make_unexpected(PublishError::full);
  if (!begun->waits) return send(begun->number, request);
  watch_waiting();
  // The connection may have been lost, or a place have become free, in between.
  if (!can_publish_ && publishes_.withdraw(begun->number)) {
    return tl::make_unexpected(PublishError::not_connected);
  }
  send_waiting_later();
  return {};
}

// Gives it to the library. Where that fails its outcome is still to be told.
Result<> Connection::hand_over(std::uint64_t number, const PublishRequest& request) {
  Result<> sent =
      client_->publish(request, [weak = weak_from_this(), number](const Result<>& outcome) {
        const auto self = weak.lock();
        if (!self) return;
        self->publishes_.finish(number, outcome);
        self->send_waiting_later();
      });
  if (!sent && can_publish_) {
    log_.warn("publish.refused", fields_, "message for \"{}\" was not sent: {}", request.topic,
              sent.error().message);
  }
  return sent;
}

tl::expected<void, PublishError> Connection::send(std::uint64_t number,
                                                  const PublishRequest& request) {
  const Result<> sent = hand_over(number, request);
  if (sent) return {};
  const bool in_words = sent.error().code != 0;
  if (in_words) publishes_.finish(number, sent);
  // A lost connection may have told `done` already; then that is the answer.
  const bool untold = !in_words && publishes_.withdraw(number);
  send_waiting_later();
  if (!untold) return {};
  return tl::make_unexpected(can_publish_ ? PublishError::invalid : PublishError::not_connected);
}

// ---- What waits ----

// The library must not be called from its callbacks with a lock of ours that others wait for, so
// the supervisor sends.
void Connection::send_waiting_later() {
  if (publishes_.claim()) post([](Connection& self) { self.send_waiting(); });
}

void Connection::send_waiting() {
  if (!can_publish_) {  // lost, which the library says of each in flight before it says so of
                        // itself
    publishes_.give_back();
    return;
  }
  const Monotonic now = services_.supervisor->clock().now();
  for (int i = 0; i < kSentAtOnce; ++i) {
    const auto next = publishes_.next(now);
    if (!next) return;
    const Result<> sent = hand_over(next->number, next->publish->request());
    if (!sent) publishes_.finish(next->number, sent);
  }
  post([](Connection& self) { self.send_waiting(); });  // other connections get their turn
}

void Connection::watch_waiting() {
  if (watching_waiting_.exchange(true)) return;
  post([](Connection& self) { self.look_at_waiting(); });
}

void Connection::look_at_waiting() {
  const Monotonic now = services_.supervisor->clock().now();
  const auto held_since = publishes_.held_since();
  if (library_ == Library::connected && held_since && now - *held_since >= kStalled) {
    reconnect_because(fmt::format("it has confirmed none of {} messages for {}",
                                  publishes_.window(), format_duration(kStalled)));
  }
  publishes_.expire(now);
  if (publishes_.waiting() == 0) {
    watching_waiting_ = false;
    // Unless one has come since.
    if (publishes_.waiting() == 0 || watching_waiting_.exchange(true)) return;
  }
  services_.supervisor->after(kLookAtWaiting, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look_at_waiting();
  });
}

// ---- Presence ----

void Connection::publish_presence(const std::string& payload, PublishDone done) {
  const config::LastWill& will = *options_.last_will;
  const PublishRequest request{
      .topic = will.topic,
      .payload = {reinterpret_cast<const std::uint8_t*>(payload.data()), payload.size()},
      .qos = will.qos,
      .retained = will.retained};
  auto shared_done = std::make_shared<PublishDone>(std::move(done));
  auto sent = publish(request, [shared_done](const Result<>& outcome) { (*shared_done)(outcome); });
  if (!sent) {
    log_.warn("presence.failed", fields_, "cannot publish \"{}\" to \"{}\"", payload, will.topic);
    (*shared_done)(fail("not sent"));
  }
}

}  // namespace triggerd::mqtt
