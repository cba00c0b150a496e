// Messages for tests, in memory of their own.
#pragma once

#include <string>

#include "mqtt/message.hpp"

namespace triggerd::trigger::test {

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

}  // namespace triggerd::trigger::test
