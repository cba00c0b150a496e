// Messages that a test sends, and their memory. Included by trigger/testing.hpp.
#ifndef TRIGGER_TESTING_MESSAGE_HPP
#define TRIGGER_TESTING_MESSAGE_HPP

#include <trigger/mqtt5.h>
#include <trigger/plugin.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <trigger/testing/clock.hpp>
#include <utility>
#include <vector>

namespace trigger {
namespace testing {

// An MQTT 5 property.
struct Property {
  std::uint32_t id = 0;
  std::uint64_t number = 0;
  std::string name = {};
  std::string value = {};

  static Property content_type(std::string type) {
    return {TRIGGER_PROPERTY_CONTENT_TYPE, 0, {}, std::move(type)};
  }
  static Property response_topic(std::string topic) {
    return {TRIGGER_PROPERTY_RESPONSE_TOPIC, 0, {}, std::move(topic)};
  }
  static Property correlation_data(std::string bytes) {
    return {TRIGGER_PROPERTY_CORRELATION_DATA, 0, {}, std::move(bytes)};
  }
  static Property user(std::string name, std::string value) {
    return {TRIGGER_PROPERTY_USER, 0, std::move(name), std::move(value)};
  }
};

// A message as a test describes it. Most tests need the first two members only: {"a/b", "21.5"}.
struct Message {
  std::string topic = "test/topic";
  std::string payload = {};
  std::uint32_t qos = 1;
  bool retain = false;
  bool dup = false;
  std::uint32_t attempt = 1;
  std::string id = {};  // empty: it gets an id of its own
  std::vector<Property> properties = {};
  std::chrono::milliseconds timeout{30'000};  // until its deadline; advance() moves the time
  bool mqtt5 = false;                         // it came over MQTT 5; implied by properties
};

namespace detail {

inline trigger_str to_abi(std::string_view text) noexcept {
  return {text.data(), text.size()};
}

inline trigger_bytes bytes_to_abi(std::string_view bytes) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

inline std::string copy(trigger_str text) {
  return text.len == 0 ? std::string() : std::string(text.ptr, text.len);
}

inline std::string copy(trigger_bytes bytes) {
  return bytes.len == 0 ? std::string()
                        : std::string(reinterpret_cast<const char*>(bytes.ptr), bytes.len);
}

// A trigger_message and all that it points to, in one heap object. It is freed when the message
// stops being valid, so that AddressSanitizer finds a service that still reads it.
class MessageMemory {
 public:
  MessageMemory(Message content, std::string trigger, std::uint64_t token, const FakeClock& clock)
      : content_(std::move(content)), trigger_(std::move(trigger)) {
    const std::chrono::nanoseconds timeout = content_.timeout;
    for (const Property& property : content_.properties) {
      properties_.push_back(
          {property.id, 0, property.number, to_abi(property.name), bytes_to_abi(property.value)});
    }
    raw_.struct_size = sizeof(raw_);
    raw_.flags = (content_.retain ? TRIGGER_MESSAGE_RETAIN : 0) |
                 (content_.dup ? TRIGGER_MESSAGE_DUP : 0) |
                 (properties_.empty() && !content_.mqtt5 ? 0 : TRIGGER_MESSAGE_MQTT5);
    raw_.token = token;
    raw_.id = to_abi(content_.id);
    raw_.topic = to_abi(content_.topic);
    raw_.trigger = to_abi(trigger_);
    raw_.payload = bytes_to_abi(content_.payload);
    raw_.received_unix_ns = clock.unix_ns();
    raw_.deadline_mono_ns = clock.mono_ns() + static_cast<std::uint64_t>(timeout.count());
    raw_.properties = properties_.data();
    raw_.property_count = properties_.size();
    raw_.attempt = content_.attempt;
    raw_.qos = content_.qos;
  }
  MessageMemory(const MessageMemory&) = delete;
  MessageMemory& operator=(const MessageMemory&) = delete;

  const trigger_message& raw() const noexcept { return raw_; }

 private:
  const Message content_;
  const std::string trigger_;
  std::vector<trigger_property> properties_;
  trigger_message raw_{};
};

}  // namespace detail
}  // namespace testing
}  // namespace trigger

#endif  // TRIGGER_TESTING_MESSAGE_HPP
