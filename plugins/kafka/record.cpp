#include "record.hpp"

#include <algorithm>
#include <cstddef>

namespace kafka {
namespace {

// MQTT's levels become Kafka's: "plant/boiler" is the topic "plant.boiler".
void append_to_topic(std::string& out, std::string_view value) {
  const std::size_t begin = out.size();
  out += value;
  std::replace(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(), '/', '.');
}

std::string does_not_fit(const char* setting, const std::string& problem) {
  return std::string("the setting ") + setting + " does not fit this message: " + problem;
}

// A header whose placeholders the message cannot fill is left out. So is a user property with the
// name of a header of the settings: a sender must not be able to pass for somebody else.
void add_headers(const Settings& settings, const trigger::Message& message, Record& record) {
  const auto is_own = [&settings](std::string_view name) {
    return std::any_of(settings.headers.begin(), settings.headers.end(),
                       [name](const Header& header) { return header.name == name; });
  };
  for (const Header& header : settings.headers) {
    auto value = header.value.expand(message).text;
    if (value) record.headers.emplace_back(header.name, std::move(*value));
  }
  if (!settings.user_properties) return;
  constexpr std::string_view content_type = "content-type";
  if (const auto value = message.content_type(); value && !is_own(content_type)) {
    record.headers.emplace_back(content_type, *value);
  }
  for (std::size_t i = 0; i < message.property_count(); ++i) {
    const trigger_property& property = message.properties()[i];
    if (property.id != plugin_common::user_property) continue;
    const std::string_view name = trigger::detail::view(property.name);
    // A NUL would cut the name, and make another one of it.
    if (name.find('\0') != std::string_view::npos || is_own(name) || name == content_type) continue;
    record.headers.emplace_back(name, trigger::detail::view(property.value));
  }
}

}  // namespace

bool is_topic_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

bool is_topic(std::string_view name) {
  constexpr std::size_t most = 249;
  return !name.empty() && name.size() <= most && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), is_topic_character);
}

Made make_record(const Settings& settings, const trigger::Message& message) {
  Record record;
  auto topic = settings.topic.expand(message, &append_to_topic);
  if (!topic.text) return {std::nullopt, does_not_fit("topic", topic.problem)};
  if (!is_topic(*topic.text)) {
    return {std::nullopt,
            does_not_fit("topic", "it would be \"" + trigger::printable(*topic.text, 80) +
                                      "\", and a Kafka topic has " + topic_rule)};
  }
  record.topic = std::move(*topic.text);
  if (settings.key) {
    auto key = settings.key->expand(message);
    if (!key.text) return {std::nullopt, does_not_fit("key", key.problem)};
    record.key = std::move(*key.text);
  }
  add_headers(settings, message, record);
  return {std::move(record), {}};
}

}  // namespace kafka
