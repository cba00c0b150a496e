#include "config/order.hpp"

#include <charconv>
#include <cstddef>
#include <optional>

namespace triggerd::config {
namespace {

constexpr unsigned kMaxLevel = 65'535;  // a topic cannot have more

std::optional<unsigned> parse_level(std::string_view text) {
  unsigned level = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), level);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (level == 0 || level > kMaxLevel) return std::nullopt;
  return level;
}

// RFC 6901, section 3.
bool is_json_pointer(std::string_view text) {
  if (!text.starts_with('/')) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '~' && (i + 1 == text.size() || (text[i + 1] != '0' && text[i + 1] != '1'))) {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<Order> parse_order(std::string_view text) {
  constexpr std::string_view kTopic = "topic:";
  constexpr std::string_view kJson = "json:";
  constexpr std::string_view kProperty = "property:";
  if (text == "trigger") return Order{Order::By::trigger, 0, {}};
  if (text == "topic") return Order{Order::By::topic, 0, {}};
  if (text == "none") return Order{Order::By::none, 0, {}};
  if (text.starts_with(kTopic)) {
    const auto level = parse_level(text.substr(kTopic.size()));
    if (!level) {
      return fail("the level must be from 1 to {}, as in \"topic:2\"", kMaxLevel);
    }
    return Order{Order::By::topic_level, *level, {}};
  }
  if (text.starts_with(kJson)) {
    const std::string_view pointer = text.substr(kJson.size());
    if (!is_json_pointer(pointer)) {
      return fail("\"json:\" must be followed by a JSON pointer, as in \"json:/device/id\"");
    }
    return Order{Order::By::json, 0, std::string(pointer)};
  }
  if (text.starts_with(kProperty)) {
    const std::string_view name = text.substr(kProperty.size());
    if (name.empty()) {
      return fail(
          "\"property:\" must be followed by the name of a user property, as in "
          "\"property:device\"");
    }
    return Order{Order::By::property, 0, std::string(name)};
  }
  return fail(
      "it must be \"trigger\", \"topic\", \"topic:N\", \"property:NAME\", \"json:/POINTER\" or "
      "\"none\"");
}

}  // namespace triggerd::config
