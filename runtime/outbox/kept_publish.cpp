#include "outbox/kept_publish.hpp"

#include <algorithm>
#include <utility>

namespace triggerd::outbox {
namespace {

std::string encoded_without_expiry(std::span<const mqtt::Property> properties) {
  std::string bytes;
  for (const mqtt::Property& property : properties) {
    if (property.id != mqtt::property::kMessageExpiry) mqtt::encode_property(bytes, property);
  }
  return bytes;
}

std::optional<Monotonic> expiry_of(std::span<const mqtt::Property> properties, Monotonic now) {
  const mqtt::Property* const found =
      mqtt::find_property(properties, mqtt::property::kMessageExpiry);
  if (found == nullptr) return std::nullopt;
  return now + std::chrono::seconds(found->number);
}

}  // namespace

KeptPublish::KeptPublish(std::shared_ptr<RowListener> outbox, std::string_view alias,
                         const mqtt::PublishRequest& request, const Clock& clock)
    : outbox_(std::move(outbox)),
      alias_(alias),
      topic_(request.topic),
      payload_(reinterpret_cast<const char*>(request.payload.data()), request.payload.size()),
      properties_(encoded_without_expiry(request.properties)),
      qos_(request.qos),
      retained_(request.retained),
      kept_(clock.wall()),
      expires_(expiry_of(request.properties, clock.now())) {}

KeptPublish::KeptPublish(std::shared_ptr<RowListener> outbox, std::string_view alias,
                         inbox::OutgoingMessage stored)
    : row(Row::written),
      number(stored.number),
      outbox_(std::move(outbox)),
      alias_(alias),
      topic_(std::move(stored.topic)),
      payload_(std::move(stored.payload)),
      properties_(std::move(stored.properties).value_or("")),
      qos_(stored.qos),
      retained_(stored.retained),
      packet_id_(stored.packet_id),
      kept_(stored.kept),
      expires_(stored.expires) {}

KeptPublish::KeptPublish(std::shared_ptr<RowListener> outbox, std::uint16_t packet_id)
    : row(Row::none),
      sent(Sent::pubrel),
      outbox_(std::move(outbox)),
      qos_(2),
      packet_id_(packet_id) {}

KeptPublish::~KeptPublish() {
  tell(fail("the runtime has ended before the message was safe"));
}

mqtt::PublishPacket KeptPublish::packet(bool v5, Monotonic now, std::string& properties) const {
  mqtt::PublishPacket packet{.topic = topic_,
                             .payload = payload_,
                             .qos = qos_,
                             .retained = retained_,
                             .dup = may_be_sent,
                             .packet_id = packet_id_};
  if (!v5) return packet;
  properties = properties_;
  if (expires_) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(*expires_ - now).count();
    mqtt::encode_property(properties,
                          {.id = mqtt::property::kMessageExpiry,
                           .number = static_cast<std::uint64_t>(std::max<std::int64_t>(left, 1))});
  }
  packet.properties = properties;
  return packet;
}

void KeptPublish::forget_content() {
  topic_ = {};
  payload_ = {};
  properties_ = {};
}

void KeptPublish::tell(const Result<>& outcome) {
  if (const mqtt::PublishDone waiting = std::exchange(done, nullptr)) waiting(outcome);
}

inbox::OutgoingView KeptPublish::view() const {
  return {.alias = alias_,
          .packet_id = packet_id_,
          .topic = topic_,
          .payload = payload_,
          .qos = qos_,
          .retained = retained_,
          .properties =
              properties_.empty() ? std::nullopt : std::optional<std::string_view>(properties_),
          .kept = kept_,
          .expires = expires_};
}

}  // namespace triggerd::outbox
