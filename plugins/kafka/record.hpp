// What becomes of a message in Kafka: topic, key and headers. Its value is the payload.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <trigger/plugin.hpp>
#include <utility>
#include <vector>

#include "settings.hpp"

namespace kafka {

// Kafka's rule for the names of topics, in words: see is_topic().
constexpr const char* topic_rule =
    "1 to 249 letters, digits, '.', '_' and '-', and neither \".\" nor \"..\"";
bool is_topic_character(char c);
bool is_topic(std::string_view name);

struct Record {
  std::string topic;
  std::optional<std::string> key;
  std::vector<std::pair<std::string, std::string>> headers;
};

// The record, or why there is none: the message lacks what a template needs.
struct Made {
  std::optional<Record> record;
  std::string problem;
};
Made make_record(const Settings& settings, const trigger::Message& message);

}  // namespace kafka
