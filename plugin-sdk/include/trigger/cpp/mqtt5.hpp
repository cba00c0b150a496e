// MQTT 5 properties to publish with. Included by trigger/plugin.hpp.
#ifndef TRIGGER_CPP_MQTT5_HPP
#define TRIGGER_CPP_MQTT5_HPP

#include <trigger/mqtt5.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <trigger/cpp/text.hpp>
#include <vector>

namespace trigger {

// The properties of a message to publish, in the order in which they were added. It copies what it
// is given, and has to live until publish() has returned:
//
//   trigger::Properties properties;
//   properties.content_type("application/json").user("device", "7");
//   trigger::Publish message{"out", json};
//   message.set(properties);
class Properties {
 public:
  Properties() = default;
  Properties(const Properties&) = delete;
  Properties& operator=(const Properties&) = delete;

  // Says that the payload is UTF-8.
  Properties& payload_is_text() { return add_number(TRIGGER_PROPERTY_PAYLOAD_FORMAT, 1); }
  // After how many seconds the server may drop the message.
  Properties& message_expiry(std::uint32_t seconds) {
    return add_number(TRIGGER_PROPERTY_MESSAGE_EXPIRY, seconds);
  }
  Properties& content_type(std::string_view type) {
    return add(TRIGGER_PROPERTY_CONTENT_TYPE, {}, type);
  }
  // Makes the message a request: the topic for the answer, and what the answer has to carry.
  Properties& response_topic(std::string_view topic) {
    return add(TRIGGER_PROPERTY_RESPONSE_TOPIC, {}, topic);
  }
  Properties& correlation_data(std::string_view bytes) {
    return add(TRIGGER_PROPERTY_CORRELATION_DATA, {}, bytes);
  }
  Properties& user(std::string_view name, std::string_view value) {
    return add(TRIGGER_PROPERTY_USER, name, value);
  }

  const trigger_property* data() const noexcept { return list_.data(); }
  std::size_t size() const noexcept { return list_.size(); }

 private:
  Properties& add(std::uint32_t id, std::string_view name, std::string_view value) {
    const std::string& kept_name = texts_.emplace_back(name);
    const std::string& kept_value = texts_.emplace_back(value);
    list_.push_back({id, 0, 0, detail::to_abi(kept_name), detail::bytes_to_abi(kept_value)});
    return *this;
  }
  Properties& add_number(std::uint32_t id, std::uint64_t number) {
    list_.push_back({id, 0, number, {"", 0}, {nullptr, 0}});
    return *this;
  }

  std::deque<std::string> texts_;  // a deque, so that they do not move when more are added
  std::vector<trigger_property> list_;
};

}  // namespace trigger

#endif  // TRIGGER_CPP_MQTT5_HPP
