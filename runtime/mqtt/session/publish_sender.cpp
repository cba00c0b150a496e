#include "mqtt/session/publish_sender.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/units.hpp"

namespace triggerd::mqtt {
namespace {

constexpr Millis kLookAtWaiting{1'000};
constexpr int kSentAtOnce = 64;
// A server that confirms nothing for so long has forgotten what it was sent, and only a new
// connection sends it again (MQTT 3.1.1 and 5, section 4.4).
constexpr Millis kStalled{60'000};

}  // namespace

// How many messages of QoS 1 and 2 may be in flight.
std::size_t PublishSender::window(std::optional<std::uint16_t> receive_maximum) const {
  std::size_t window = context_.options.max_inflight.value_or(static_cast<std::uint16_t>(
      receive_maximum ? Publishes::kCapacity : Publishes::kDefaultWindow));
  if (receive_maximum) window = std::min<std::size_t>(window, *receive_maximum);
  return std::max<std::size_t>(window, 1);
}

void PublishSender::connected(std::optional<std::uint16_t> receive_maximum) {
  publishes_.set_window(window(receive_maximum));
  can_publish_ = true;
}

tl::expected<void, PublishError> PublishSender::publish(const PublishRequest& request,
                                                        PublishDone done) {
  if (!can_publish_) return tl::make_unexpected(PublishError::not_connected);
  const auto begun = publishes_.begin(request, std::move(done), context_.now());
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
Result<> PublishSender::hand_over(std::uint64_t number, const PublishRequest& request) {
  Result<> sent =
      client_->publish(request, context_.tasks.guarded([this, number](const Result<>& outcome) {
        publishes_.finish(number, outcome);
        send_waiting_later();
      }));
  if (!sent && can_publish_) {
    context_.log.warn("publish.refused", "message for \"{}\" was not sent: {}", request.topic,
                      sent.error().message);
  }
  return sent;
}

tl::expected<void, PublishError> PublishSender::send(std::uint64_t number,
                                                     const PublishRequest& request) {
  const Result<> sent = hand_over(number, request);
  if (sent) return {};
  const bool in_words = sent.error().code != 0;
  if (in_words) publishes_.finish(number, sent);
  // When the connection was lost, `done` may have been told already; then that is the answer.
  const bool untold = !in_words && publishes_.withdraw(number);
  send_waiting_later();
  if (!untold) return {};
  return tl::make_unexpected(can_publish_ ? PublishError::invalid : PublishError::not_connected);
}

// ---- What waits ----

void PublishSender::send_waiting_later() {
  if (publishes_.claim()) {
    context_.tasks.post([this] { send_waiting(); });
  }
}

void PublishSender::send_waiting() {
  // When a connection is lost, the library says so of each publish in flight first, and those make
  // room for what waits.
  if (!can_publish_) {
    publishes_.give_back();
    return;
  }
  const Monotonic now = context_.now();
  for (int i = 0; i < kSentAtOnce; ++i) {
    const auto next = publishes_.next(now);
    if (!next) return;
    const Result<> sent = hand_over(next->number, next->publish->request());
    if (!sent) publishes_.finish(next->number, sent);
  }
  context_.tasks.post([this] { send_waiting(); });  // other connections get their turn
}

void PublishSender::watch_waiting() {
  if (watching_waiting_.exchange(true)) return;
  context_.tasks.post([this] { look_at_waiting(); });
}

void PublishSender::look_at_waiting() {
  const Monotonic now = context_.now();
  const auto held_since = publishes_.held_since();
  if (held_since && now - *held_since >= kStalled) {
    stalled_(fmt::format("it has confirmed none of {} messages for {}", publishes_.window(),
                         format_duration(kStalled)));
  }
  publishes_.expire(now);
  if (publishes_.waiting() == 0) {
    watching_waiting_ = false;
    // Unless one has come since.
    if (publishes_.waiting() == 0 || watching_waiting_.exchange(true)) return;
  }
  context_.tasks.after(kLookAtWaiting, [this] { look_at_waiting(); });
}

// ---- Presence ----

void PublishSender::publish_presence(const std::string& payload, PublishDone done) {
  const config::LastWill& will = *context_.options.last_will;
  const PublishRequest request{
      .topic = will.topic,
      .payload = {reinterpret_cast<const std::uint8_t*>(payload.data()), payload.size()},
      // In a session that is kept, a new process would use a packet id again whose handshake is
      // under way: with QoS 2 the server may take the payload for a repetition.
      .qos = context_.options.keeps_publishes ? std::min(will.qos, 1) : will.qos,
      .retained = will.retained};
  auto shared_done = std::make_shared<PublishDone>(std::move(done));
  auto sent = publish(request, [shared_done](const Result<>& outcome) { (*shared_done)(outcome); });
  if (!sent) {
    context_.log.warn("presence.failed",
                      "cannot publish the payload \"{}\" to \"{}\", the topic of the last will",
                      payload, will.topic);
    (*shared_done)(fail("not sent"));
  }
}

}  // namespace triggerd::mqtt
