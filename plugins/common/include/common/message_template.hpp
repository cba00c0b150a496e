// Text made from a message and everything that came with it: "{topic:2}/{property:unit}".
//
//   {topic}            the message's topic
//   {topic:N}          its level N, counted from 1
//   {trigger}          the name of the trigger
//   {id}               the message's id, the same over all attempts
//   {qos}, {attempt}   numbers
//   {property:NAME}    its MQTT 5 user property NAME, the first of that name
//   {content_type}     its MQTT 5 content type
//   {response_topic}   its MQTT 5 response topic
//   {json:/POINTER}    the text, number or boolean at that JSON pointer (RFC 6901) in its payload
//   {{ and }}          a brace
//
// Inserted values are not expanded again.
#pragma once

#include <trigger/plugin.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <trigger/cpp/message.hpp>
#include <trigger/cpp/settings.hpp>
#include <trigger/cpp/text.hpp>
#include <utility>
#include <vector>

#include "common/json_field.hpp"
#include "common/template.hpp"

namespace plugin_common {

// Properties of a PUBLISH (MQTT 5.0, section 3.3.2.3).
constexpr std::uint32_t content_type_property = 0x03;
constexpr std::uint32_t response_topic_property = 0x08;
constexpr std::uint32_t correlation_data_property = 0x09;
constexpr std::uint32_t user_property = 0x26;

// The value of the first property with this id and, unless `name` is empty, with this name.
inline std::optional<std::string_view> property_of(const trigger::Message& message,
                                                   std::uint32_t id, std::string_view name = {}) {
  for (std::size_t i = 0; i < message.property_count(); ++i) {
    const trigger_property& property = message.properties()[i];
    if (property.id != id) continue;
    if (!name.empty() && std::string_view(property.name.ptr, property.name.len) != name) continue;
    return std::string_view(reinterpret_cast<const char*>(property.value.ptr), property.value.len);
  }
  return std::nullopt;
}

// Constant after construction; any thread.
class MessageTemplate {
 public:
  // Throws trigger::SettingError about `key` if `text` is not a valid template.
  MessageTemplate(std::string_view key, std::string_view text) {
    for (TemplatePart& part : parse_template(key, text)) {
      if (part.is_placeholder) {
        parts_.push_back(placeholder(key, part.text));
      } else {
        parts_.push_back({Kind::literal, std::move(part.text), 0, {}});
      }
    }
  }

  // How inserted values are written; literals stay as they are.
  using Write = void (*)(std::string& out, std::string_view value);

  // The text, or what the message lacks for it: "the message has no user property \"unit\"".
  struct Text {
    std::optional<std::string> text;
    std::string problem;
    // A property or a field of the payload, which senders may leave out, rather than a topic level.
    bool lacks_optional = false;
  };
  Text expand(const trigger::Message& message, Write write = as_it_is) const {
    JsonPayload payload(message.payload());
    std::string out;
    for (const Part& part : parts_) {
      if (part.kind == Kind::literal) {
        out += part.argument;
      } else if (part.kind == Kind::json) {
        JsonPayload::Found found = payload.find(*part.pointer);
        if (!found.text) return {std::nullopt, std::move(found.problem), true};
        write(out, *found.text);
      } else if (const auto value = value_of(part, message)) {
        write(out, *value);
      } else if (part.kind == Kind::number) {
        write(out, std::to_string(part.level == 0 ? message.qos() : message.attempt()));
      } else {
        return {std::nullopt, missing(part, message), part.kind != Kind::level};
      }
    }
    return {std::move(out), {}, false};
  }

  // Whether it gives the same text for every message of a trigger.
  bool is_the_same_for_all() const {
    for (const Part& part : parts_) {
      if (part.kind != Kind::literal && part.kind != Kind::trigger) return false;
    }
    return true;
  }

  // All literals, concatenated.
  std::string literals() const {
    std::string all;
    for (const Part& part : parts_) {
      if (part.kind == Kind::literal) all += part.argument;
    }
    return all;
  }

 private:
  enum class Kind {
    literal,
    topic,
    level,
    trigger,
    id,
    number,
    user_property,
    content_type,
    response_topic,
    json
  };
  struct Part {
    Kind kind;
    std::string argument;  // the literal, or the property's name
    std::size_t level;     // of the topic; with `number` 0 is the QoS and 1 the attempt
    std::optional<JsonPointer> pointer;  // of Kind::json
  };

  static void as_it_is(std::string& out, std::string_view value) { out += value; }

  static Part placeholder(std::string_view key, std::string_view name) {
    static constexpr std::array<std::pair<std::string_view, Kind>, 6> plain{{
        {"topic", Kind::topic},
        {"trigger", Kind::trigger},
        {"id", Kind::id},
        {"qos", Kind::number},
        {"content_type", Kind::content_type},
        {"response_topic", Kind::response_topic},
    }};
    for (const auto& [known, kind] : plain) {
      if (known == name) return {kind, {}, 0, {}};
    }
    if (name == "attempt") return {Kind::number, {}, 1, {}};
    if (const auto digits = placeholder_argument(name, "topic:")) {
      return {Kind::level, {}, placeholder_level(key, *digits), {}};
    }
    if (const auto property = placeholder_argument(name, "property:")) {
      if (property->empty()) {
        throw trigger::SettingError(key, "has the placeholder {property:} without a name");
      }
      return {Kind::user_property, std::string(*property), 0, {}};
    }
    if (const auto pointer = placeholder_argument(name, "json:")) {
      return {Kind::json, {}, 0, JsonPointer(key, *pointer)};
    }
    throw trigger::SettingError(
        key, "has the unknown placeholder {" + std::string(name) +
                 "}; use {topic}, {topic:N}, {trigger}, {id}, {qos}, {attempt}, "
                 "{property:NAME}, {content_type}, {response_topic} or {json:/POINTER}");
  }

  static std::optional<std::string_view> value_of(const Part& part,
                                                  const trigger::Message& message) {
    switch (part.kind) {
      case Kind::topic:
        return message.topic();
      case Kind::level:
        return topic_level(message.topic(), part.level);
      case Kind::trigger:
        return message.trigger();
      case Kind::id:
        return message.id();
      case Kind::user_property:
        return property_of(message, user_property, part.argument);
      case Kind::content_type:
        return property_of(message, content_type_property);
      case Kind::response_topic:
        return property_of(message, response_topic_property);
      case Kind::literal:
      case Kind::number:
      case Kind::json:
        break;
    }
    return std::nullopt;
  }

  static std::string missing(const Part& part, const trigger::Message& message) {
    switch (part.kind) {
      case Kind::level:
        return "the topic \"" + trigger::printable(message.topic(), 80) + "\" has no level " +
               std::to_string(part.level);
      case Kind::content_type:
        return "the message has no content type";
      case Kind::response_topic:
        return "the message has no response topic";
      default:
        return "the message has no user property \"" + trigger::printable(part.argument, 80) + "\"";
    }
  }

  std::vector<Part> parts_;
};

}  // namespace plugin_common
