// Text with placeholders in braces, taken apart: "copy/{topic:2}".
//
// {{ and }} are a brace. What a placeholder means is up to the caller; the helpers below are shared
// by several callers.
#pragma once

#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <trigger/cpp/settings.hpp>
#include <utility>
#include <vector>

namespace plugin_common {

// Literal text, or the text between the braces of a placeholder.
struct TemplatePart {
  bool is_placeholder;
  std::string text;
};

// No literal is empty. Throws trigger::SettingError about `key` if `text` is not a valid template.
inline std::vector<TemplatePart> parse_template(std::string_view key, std::string_view text) {
  if (text.empty()) throw trigger::SettingError(key, "must not be empty");
  std::vector<TemplatePart> parts;
  std::string literal;
  const auto end_literal = [&parts, &literal] {
    if (!literal.empty()) parts.push_back({false, std::exchange(literal, {})});
  };
  while (!text.empty()) {
    const char c = text.front();
    if ((c == '{' || c == '}') && text.substr(1, 1) == text.substr(0, 1)) {
      literal += c;
      text.remove_prefix(2);
    } else if (c == '{') {
      const std::size_t end = text.find('}');
      if (end == std::string_view::npos) {
        throw trigger::SettingError(key, "has a { without its }; write {{ for a brace");
      }
      end_literal();
      parts.push_back({true, std::string(text.substr(1, end - 1))});
      text.remove_prefix(end + 1);
    } else if (c == '}') {
      throw trigger::SettingError(key, "has a } without its {; write }} for a brace");
    } else {
      literal += c;
      text.remove_prefix(1);
    }
  }
  end_literal();
  return parts;
}

// What follows `prefix`, which ends with a colon, in `placeholder`; empty if it begins with
// something else.
inline std::optional<std::string_view> placeholder_argument(std::string_view placeholder,
                                                            std::string_view prefix) {
  if (placeholder.substr(0, prefix.size()) != prefix) return std::nullopt;
  return placeholder.substr(prefix.size());
}

// The N of {topic:N}. Throws trigger::SettingError if it is not a number of 1 or more.
inline std::size_t placeholder_level(std::string_view key, std::string_view digits) {
  std::size_t level = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), level);
  if (error != std::errc() || end != digits.data() + digits.size() || level == 0) {
    throw trigger::SettingError(key, "has the placeholder {topic:" + std::string(digits) +
                                         "}: levels are counted {topic:1}, {topic:2}...");
  }
  return level;
}

// Level `level` of a topic, counted from 1; empty if it has fewer.
inline std::optional<std::string_view> topic_level(std::string_view topic, std::size_t level) {
  for (; level > 1; --level) {
    const std::size_t slash = topic.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    topic.remove_prefix(slash + 1);
  }
  return topic.substr(0, topic.find('/'));
}

}  // namespace plugin_common
