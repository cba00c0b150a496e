// Topics made from a message: "copy/{topic}".
//
//   {topic}           the message's topic
//   {topic:N}         its level N, counted from 1
//   {trigger}         the name of the trigger
//   {json:/POINTER}   the text, number or boolean at that JSON pointer (RFC 6901) in its payload
//   {{ and }}         a brace
//
// Inserted values are not expanded again: a topic that contains "{trigger}" stays as it is.
#pragma once

#include <cstddef>
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

// Why a topic that a template made cannot be published to; empty if it can.
inline std::string topic_problem(std::string_view topic) {
  constexpr std::size_t max_topic = 65535;  // MQTT 3.1.1, section 1.5.3
  if (topic.empty()) return "the topic would be empty";
  if (topic.size() > max_topic) return "the topic would have more than 65535 bytes";
  if (topic.find_first_of("+#") != std::string_view::npos) {
    return "the topic would be \"" + trigger::printable(topic, 80) +
           "\", but + and # are only for filters";
  }
  return {};
}

// Constant after construction; any thread.
class TopicTemplate {
 public:
  // Throws trigger::SettingError about `key` if `text` is not a valid template.
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
  Topic expand(const trigger::Message& message) const {
    const std::string_view topic = message.topic();
    JsonPayload payload(message.payload());
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
          out += message.trigger();
          break;
        case Kind::json: {
          JsonPayload::Found found = payload.find(*part.pointer);
          if (!found.text) return problem(found.problem);
          out += *found.text;
          break;
        }
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
  enum class Kind { literal, topic, level, trigger, json };
  struct Part {
    Kind kind;
    std::string literal;
    std::size_t level;
    std::optional<JsonPointer> pointer;  // of Kind::json
  };

  void add_literal(std::string_view key, std::string literal) {
    if (literal.find_first_of("+#") != std::string::npos) {
      throw trigger::SettingError(key, "must not contain + or #, which are only for filters");
    }
    parts_.push_back({Kind::literal, std::move(literal), 0, {}});
  }

  void add_placeholder(std::string_view key, std::string_view name) {
    if (name == "topic") {
      parts_.push_back({Kind::topic, {}, 0, {}});
    } else if (name == "trigger") {
      parts_.push_back({Kind::trigger, {}, 0, {}});
    } else if (const auto digits = placeholder_argument(name, "topic:")) {
      parts_.push_back({Kind::level, {}, placeholder_level(key, *digits), {}});
    } else if (const auto pointer = placeholder_argument(name, "json:")) {
      parts_.push_back({Kind::json, {}, 0, JsonPointer(key, *pointer)});
    } else {
      throw trigger::SettingError(key,
                                  "has the unknown placeholder {" + std::string(name) +
                                      "}; use {topic}, {topic:N}, {trigger} or {json:/POINTER}");
    }
  }

  Topic problem(const std::string& what) const {
    return {std::nullopt, "the template \"" + text_ + "\" does not fit this message: " + what};
  }

  std::string text_;
  std::vector<Part> parts_;
};

}  // namespace plugin_common
