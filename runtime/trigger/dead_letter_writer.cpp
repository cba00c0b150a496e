#include "trigger/dead_letter_writer.hpp"

#include <optional>
#include <vector>

#include "config/trigger.hpp"

namespace triggerd::trigger {

Result<std::int64_t> DeadLetterWriter::write(const dispatch::Delivery& delivery,
                                             const std::string& reason) {
  const mqtt::Message& message = delivery.message;
  auto number = dead_letters_.add(
      {.message_id = delivery.id,
       .trigger = config_.name,
       .topic = std::string(message.topic),
       .payload = std::string(reinterpret_cast<const char*>(message.payload.data()),
                              message.payload.size()),
       .qos = message.qos,
       .retained = message.retained,
       .reason = reason,
       .attempts = delivery.attempts,
       .received = message.received,
       .died = clock_.wall(),
       .properties = message.mqtt5 ? std::optional(message.properties) : std::nullopt},
      [&delivery] { return delivery.number(); });
  if (number) ++written_;
  return number;
}

void DeadLetterWriter::publish(const dispatch::Delivery& delivery, bool with_properties) const {
  if (config_.dead_letter_topic.empty()) return;
  std::vector<mqtt::Property> properties;
  if (with_properties) {
    if (const auto all = mqtt::decode_properties(delivery.message.properties)) {
      properties = mqtt::publishable(*all);
    }
  }
  const mqtt::PublishRequest request{.topic = config_.dead_letter_topic,
                                     .payload = delivery.message.payload,
                                     .qos = 1,
                                     .properties = properties};
  // The server may answer when this trigger is gone.
  const auto failed = [&log = log_, topic = config_.dead_letter_topic, name = config_.name,
                       id = delivery.id](const std::string& why) {
    log.warn("dead_letter.not_published", {{"trigger", name}, {"message", id}},
             "cannot publish a dead letter to \"{}\": {}", topic, why);
  };
  const std::int32_t code =
      publisher_.publish(config_.alias, request, [failed](const Result<>& outcome) {
        if (!outcome) failed(outcome.error().message);
      });
  if (code != TRIGGER_OK) {
    failed(code == TRIGGER_E_NOT_CONNECTED ? "the alias is not connected"
                                           : fmt::format("error {}", code));
  }
}

}  // namespace triggerd::trigger
