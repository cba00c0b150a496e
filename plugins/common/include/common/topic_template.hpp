// Topics made from a message: "copy/{topic}".
//
//   {topic}     the message's topic
//   {topic:N}   its level N, counted from 1
//   {trigger}   the name of the trigger
//   {{ and }}   a brace
//
// What is put in is not looked at again: a topic that says "{trigger}" stays as it is.
#pragma once

#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <trigger/cpp/settings.hpp>
#include <trigger/cpp/text.hpp>
#include <utility>
#include <vector>

namespace plugin_common {

// Constant after construction; any thread.
class TopicTemplate {
 public:
  // Throws trigger::SettingError about `key` where `text` is no template.
  TopicTemplate(std::string_view key, std::string_view text) : text_(text) {
    if (text.empty()) throw trigger::SettingError(key, "must not be empty");
    std::string literal;
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
        add_literal(key, std::exchange(literal, {}));
        add_placeholder(key, text.substr(1, end - 1));
        text.remove_prefix(end + 1);
      } else if (c == '}') {
        throw trigger::SettingError(key, "has a } without its {; write }} for a brace");
      } else {
        literal += c;
        text.remove_prefix(1);
      }
    }
    add_literal(key, std::move(literal));
  }

  // A topic that can be published to, or why there is none.
  struct Topic {
    std::optional<std::string> topic;
    std::string problem;
  };
  Topic expand(std::string_view topic, std::string_view trigger) const {
    std::string out;
    for (const Part& part : parts_) {
      switch (part.kind) {
        case Kind::literal:
          out += part.literal;
          break;
        case Kind::topic:
          out += topic;
          break;
        case Kind::trigger:
          out += trigger;
          break;
        case Kind::level: {
          const std::optional<std::string_view> level = level_of(topic, part.level);
          if (!level) {
            return problem("the topic \"" + trigger::printable(topic, 80) + "\" has no level " +
                           std::to_string(part.level));
          }
          out += *level;
          break;
        }
      }
    }
    if (out.empty()) return problem("it makes an empty topic");
    if (out.size() > max_topic) return problem("it makes a topic of more than 65535 bytes");
    if (out.find_first_of("+#") != std::string::npos) {
      return problem("it makes the topic \"" + trigger::printable(out, 80) +
                     "\", and + and # are for filters");
    }
    return {std::move(out), {}};
  }

 private:
  static constexpr std::size_t max_topic = 65535;  // MQTT 3.1.1, section 1.5.3

  enum class Kind { literal, topic, level, trigger };
  struct Part {
    Kind kind;
    std::string literal;
    std::size_t level;
  };

  void add_literal(std::string_view key, std::string literal) {
    if (literal.empty()) return;
    if (literal.find_first_of("+#") != std::string::npos) {
      throw trigger::SettingError(key, "must not have + or #: those are for filters");
    }
    parts_.push_back({Kind::literal, std::move(literal), 0});
  }

  void add_placeholder(std::string_view key, std::string_view name) {
    constexpr std::string_view level_prefix = "topic:";
    if (name == "topic") {
      parts_.push_back({Kind::topic, {}, 0});
    } else if (name == "trigger") {
      parts_.push_back({Kind::trigger, {}, 0});
    } else if (name.substr(0, level_prefix.size()) == level_prefix) {
      const std::string_view digits = name.substr(level_prefix.size());
      std::size_t level = 0;
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), level);
      if (error != std::errc() || end != digits.data() + digits.size() || level == 0) {
        throw trigger::SettingError(key, "has the placeholder {" + std::string(name) +
                                             "}: levels are counted {topic:1}, {topic:2}...");
      }
      parts_.push_back({Kind::level, {}, level});
    } else {
      throw trigger::SettingError(key, "has the unknown placeholder {" + std::string(name) +
                                           "}; there are {topic}, {topic:N} and {trigger}");
    }
  }

  static std::optional<std::string_view> level_of(std::string_view topic, std::size_t level) {
    for (; level > 1; --level) {
      const std::size_t slash = topic.find('/');
      if (slash == std::string_view::npos) return std::nullopt;
      topic.remove_prefix(slash + 1);
    }
    return topic.substr(0, topic.find('/'));
  }

  Topic problem(const std::string& what) const {
    return {std::nullopt, "the template \"" + text_ + "\" does not fit this message: " + what};
  }

  std::string text_;
  std::vector<Part> parts_;
};

}  // namespace plugin_common
