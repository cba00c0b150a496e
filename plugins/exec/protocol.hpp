// The lines that go between a trigger and its command: docs/reference/exec-protocol.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <trigger/plugin.hpp>
#include <utility>
#include <variant>
#include <vector>

#include "settings.hpp"

namespace exec_plugin {

inline constexpr std::size_t longest_line = std::size_t{64} << 20;

// ---- To the command. Each ends with a newline. ----

std::string start_line(const Settings& settings, const trigger::Context& context,
                       std::size_t process);
std::string stop_line();
std::string expired_line(const std::string& token);
// `code`: a result of a publish.
std::string published_line(const std::string& id, std::int32_t code, std::string_view reason);

// A message as far as it does not change while it waits: an object that is not closed.
std::string opened_message(const trigger::Message& message, bool always_base64);
// What is sent of it, with the time that is left for it.
std::string closed_message(std::string opened, std::chrono::milliseconds left);
// One message as a line of its own, several as a batch.
std::string messages_line(std::vector<std::string> closed);

// ---- From the command ----

struct Ready {
  std::string name;
  std::string version;
};

struct UserProperty {
  std::string name;
  std::string value;
};

struct Publication {
  std::optional<std::string> id;
  std::string topic;
  std::string payload;
  int qos = 1;
  bool retain = false;
  std::string alias{};
  bool is_text = false;
  std::optional<std::uint32_t> expiry{};
  std::optional<std::string> content_type{};
  std::optional<std::string> response_topic{};
  std::optional<std::string> correlation{};
  std::vector<UserProperty> user{};
};

struct Answer {
  std::optional<std::string> token;
  trigger::Verdict verdict;
  std::vector<Publication> publish{};
};

struct LogText {
  trigger::Level level;
  std::string text;
};

struct Measurement {
  std::string name;
  bool is_counter;
  std::string help;
  double add;
};

struct Extension {
  std::string token;
  std::chrono::milliseconds from_now;
};

// Not of the protocol; `problem` says why. `token`: of the message, if it was to be a verdict that
// names one.
struct Wrong {
  std::string problem;
  std::optional<std::string> token{};
};

using Said = std::variant<Wrong, Ready, Answer, Publication, LogText, Measurement, Extension>;

// What a line means, without its newline.
Said read_line(std::string_view line);

}  // namespace exec_plugin
