// Messages for tests, in memory of their own.
#pragma once

#include <memory>
#include <string>

#include "dispatch/delivery.hpp"

namespace triggerd::dispatch::test {

inline mqtt::Message message(const std::string& topic, const std::string& payload = {}) {
  auto* kept_topic = new std::string(topic);
  auto* kept_payload = new std::string(payload);
  return {.buffers = mqtt::Buffers(kept_topic, kept_payload,
                                   [](void* first, void* second) {
                                     delete static_cast<std::string*>(first);
                                     delete static_cast<std::string*>(second);
                                   }),
          .topic = *kept_topic,
          .payload = {reinterpret_cast<const std::uint8_t*>(kept_payload->data()),
                      kept_payload->size()}};
}

inline const DeliveryHome& home() {
  static const DeliveryHome home{.trigger = "t", .client_id = "c"};
  return home;
}

inline DeliveryPtr delivery(mqtt::Message message) {
  static int count = 0;
  return std::make_shared<Delivery>(home(), std::move(message), "id-" + std::to_string(++count));
}

inline DeliveryPtr delivery(const std::string& topic) {
  return delivery(message(topic));
}

}  // namespace triggerd::dispatch::test
