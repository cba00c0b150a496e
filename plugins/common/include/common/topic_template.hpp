// Topics made from a message: "copy/{topic}".
//
//   {topic}     the message's topic
//   {topic:N}   its level N, counted from 1
//   {trigger}   the name of the trigger
//   {{ and }}   a brace
//
// What is put in is not looked at again: a topic that says "{trigger}" stays as it is.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <trigger/cpp/settings.hpp>
#include <trigger/cpp/text.hpp>
#include <utility>
#include <vector>

#include "common/template.hpp"

namespace plugin_common {

// Why nobody can publish to a topic that a template made; empty where one can.
inline std::string topic_problem(std::string_view topic) {
  constexpr std::size_t max_topic = 65535;  // MQTT 3.1.1, section 1.5.3
  if (topic.empty()) return "it makes an empty topic";
  if (topic.size() > max_topic) return "it makes a topic of more than 65535 bytes";
  if (topic.find_first_of("+#") != std::string_view::npos) {
    return "it makes the topic \"" + trigger::printable(topic, 80) +
           "\", and + and # are for filters";
  }
  return {};
}

// Constant after construction; any thread.
class TopicTemplate {
 public:
  // Throws trigger::SettingError about `key` where `text` is no template.
  TopicTemplate(std::string_view key, std::string_view text) : text_(text) {
    for (TemplatePart& part : parse_template(key, text)) {
      if (part.is_placeholder) {
        add_placeholder(key, part.text);
      } else {
        add_literal(key, std::move(part.text));
      }
    }
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
          const std::optional<std::string_view> level = topic_level(topic, part.level);
          if (!level) {
            return problem("the topic \"" + trigger::printable(topic, 80) + "\" has no level " +
                           std::to_string(part.level));
          }
          out += *level;
          break;
        }
      }
    }
    if (const std::string what = topic_problem(out); !what.empty()) return problem(what);
    return {std::move(out), {}};
  }

 private:
  enum class Kind { literal, topic, level, trigger };
  struct Part {
    Kind kind;
    std::string literal;
    std::size_t level;
  };

  void add_literal(std::string_view key, std::string literal) {
    if (literal.find_first_of("+#") != std::string::npos) {
      throw trigger::SettingError(key, "must not have + or #: those are for filters");
    }
    parts_.push_back({Kind::literal, std::move(literal), 0});
  }

  void add_placeholder(std::string_view key, std::string_view name) {
    if (name == "topic") {
      parts_.push_back({Kind::topic, {}, 0});
    } else if (name == "trigger") {
      parts_.push_back({Kind::trigger, {}, 0});
    } else if (const auto digits = placeholder_argument(name, "topic:")) {
      parts_.push_back({Kind::level, {}, placeholder_level(key, *digits)});
    } else {
      throw trigger::SettingError(key, "has the unknown placeholder {" + std::string(name) +
                                           "}; there are {topic}, {topic:N} and {trigger}");
    }
  }

  Topic problem(const std::string& what) const {
    return {std::nullopt, "the template \"" + text_ + "\" does not fit this message: " + what};
  }

  std::string text_;
  std::vector<Part> parts_;
};

}  // namespace plugin_common
