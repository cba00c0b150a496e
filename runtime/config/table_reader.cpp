#include "config/table_reader.hpp"

#include <algorithm>
#include <limits>

#include "base/text.hpp"
#include "base/units.hpp"
#include "config/expand.hpp"

namespace triggerd::config {
namespace {

std::optional<Text> expand_text(const SourceFile& file, std::string_view what, const Node& node) {
  const auto* written = node.as<std::string>();
  if (written == nullptr) {
    file.error(node.spot, "{} must be a string, not {}", what, type_name(node));
    return std::nullopt;
  }
  auto value = expand(*written, file.environment);
  if (!value) {
    file.error(node.spot, "{}: {}", what, value.error().message);
    return std::nullopt;
  }
  return Text{*std::move(value), printable(*written), node.spot};
}

// A table, or the array of tables that [[NAME]] makes.
bool is_table_like(const Node& node) {
  const auto* array = node.as<Node::Array>();
  return node.as<Node::Table>() != nullptr ||
         (array != nullptr && !array->empty() && array->front().as<Node::Table>() != nullptr);
}

}  // namespace

std::optional<Text> read_text(const SourceFile& file, std::string_view what, const Node& node) {
  auto text = expand_text(file, what, node);
  if (text && text->value.find('\0') != std::string::npos) {
    file.error(node.spot, "{} contains the character U+0000, which is not allowed here", what);
    return std::nullopt;
  }
  return text;
}

TableReader::TableReader(const SourceFile& file, const Node& table, std::string title)
    : file_(file), table_(table), title_(std::move(title)) {}

const Node* TableReader::find(std::string_view key) const {
  for (const Member& member : *table_.as<Node::Table>()) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

std::vector<std::string_view> TableReader::keys() const {
  std::vector<std::string_view> all;
  for (const Member& member : *table_.as<Node::Table>()) all.push_back(member.key);
  return all;
}

const Node* TableReader::get(std::string_view key) {
  if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) asked_.push_back(key);
  return find(key);
}

Spot TableReader::spot_of(std::string_view key) const {
  const Node* node = find(key);
  return node != nullptr ? node->spot : table_.spot;
}

std::optional<Text> TableReader::text(std::string_view key) {
  const Node* node = get(key);
  return node != nullptr ? read_text(file_, key, *node) : std::nullopt;
}

std::optional<std::filesystem::path> TableReader::path(std::string_view key) {
  const auto said = text(key);
  if (!said) return std::nullopt;
  if (said->value.empty()) {
    file_.error(said->spot, "{} must be a path, not an empty string", key);
    return std::nullopt;
  }
  return file_.folder / said->value;
}

std::optional<std::vector<Text>> TableReader::texts(std::string_view key) {
  const Node* node = get(key);
  if (node == nullptr) return std::nullopt;
  const auto* elements = node->as<Node::Array>();
  if (elements == nullptr) {
    report_type(key, *node, "an array of strings");
    return std::nullopt;
  }
  std::vector<Text> found;
  for (const Node& element : *elements) {
    if (auto said = read_text(file_, fmt::format("an element of {}", key), element)) {
      found.push_back(*std::move(said));
    }
  }
  return found;
}

bool TableReader::payload(std::string_view key, std::string& target) {
  const Node* node = get(key);
  if (node == nullptr) return false;
  auto said = expand_text(file_, key, *node);
  if (said) target = std::move(said->value);
  return said.has_value();
}

bool TableReader::string(std::string_view key, std::string& target) {
  auto said = text(key);
  if (said) target = std::move(said->value);
  return said.has_value();
}

bool TableReader::boolean(std::string_view key, bool& target) {
  const Node* node = get(key);
  if (node == nullptr) return false;
  const bool* value = node->as<bool>();
  if (value == nullptr) {
    report_type(key, *node, "true or false");
    return false;
  }
  target = *value;
  return true;
}

std::optional<std::int64_t> TableReader::integer_in(std::string_view key, std::int64_t min,
                                                    std::int64_t max) {
  const Node* node = get(key);
  if (node == nullptr) return std::nullopt;
  const auto* value = node->as<std::int64_t>();
  if (value == nullptr) {
    report_type(key, *node, "an integer");
    return std::nullopt;
  }
  if (*value < min || *value > max) {
    file_.error(node->spot, "{} must be from {} to {}, not {}", key, min, max, *value);
    return std::nullopt;
  }
  return *value;
}

bool TableReader::number(std::string_view key, double& target, double min, double max) {
  const Node* node = get(key);
  if (node == nullptr) return false;
  double value = 0;
  if (const auto* floating = node->as<double>()) {
    value = *floating;
  } else if (const auto* integer = node->as<std::int64_t>()) {
    value = static_cast<double>(*integer);
  } else {
    report_type(key, *node, "a number");
    return false;
  }
  if (!(value >= min && value <= max)) {  // so that NaN is refused too
    file_.error(node->spot, "{} must be from {} to {}, not {}", key, min, max, value);
    return false;
  }
  target = value;
  return true;
}

bool TableReader::duration(std::string_view key, Millis& target, Millis min, Millis max) {
  const Node* node = get(key);
  if (node == nullptr) return false;
  std::optional<Millis> value;
  if (const auto* seconds = node->as<std::int64_t>()) {
    constexpr std::int64_t kMaxSeconds = std::numeric_limits<std::int64_t>::max() / 1000;
    value = Millis(std::clamp(*seconds, -kMaxSeconds, kMaxSeconds) * 1000);
  } else if (node->as<std::string>() != nullptr) {
    const auto said = read_text(file_, key, *node);
    if (!said) return false;
    const auto parsed = parse_duration(said->value);
    if (!parsed) {
      // Not parse_duration()'s own message, which may quote the value of a variable.
      file_.error(node->spot,
                  "{} = \"{}\" is not a duration; write a number with ms, s, m, h or d, at most 10 "
                  "years",
                  key, said->shown);
      return false;
    }
    value = *parsed;
  } else {
    report_type(key, *node, "a duration (\"30s\", or whole seconds)");
    return false;
  }
  if (*value < min || *value > max) {
    file_.error(node->spot, "{} must be from {} to {}", key, format_duration(min),
                format_duration(max));
    return false;
  }
  target = *value;
  return true;
}

bool TableReader::size(std::string_view key, std::uint64_t& target, std::uint64_t min,
                       std::uint64_t max) {
  const Node* node = get(key);
  if (node == nullptr) return false;
  std::uint64_t value = 0;
  if (const auto* bytes = node->as<std::int64_t>()) {
    value =
        *bytes < 0 ? std::numeric_limits<std::uint64_t>::max() : static_cast<std::uint64_t>(*bytes);
  } else if (node->as<std::string>() != nullptr) {
    const auto said = read_text(file_, key, *node);
    if (!said) return false;
    const auto parsed = parse_size(said->value);
    if (!parsed) {
      file_.error(node->spot,
                  "{} = \"{}\" is not a size; write a number of bytes, or one with KiB, MiB, GiB "
                  "or TiB",
                  key, said->shown);
      return false;
    }
    value = *parsed;
  } else {
    report_type(key, *node, "a size (\"64KiB\", or bytes)");
    return false;
  }
  if (value < min || value > max) {
    file_.error(node->spot, "{} must be from {} to {}", key, format_size(min), format_size(max));
    return false;
  }
  target = value;
  return true;
}

std::optional<TableReader> TableReader::table(std::string_view key) {
  const Node* node = get(key);
  if (node == nullptr) return std::nullopt;
  if (node->as<Node::Table>() == nullptr) {
    report_type(key, *node, "a table");
    return std::nullopt;
  }
  return TableReader(file_, *node, fmt::format("{} of {}", key, title_));
}

void TableReader::report_missing(std::string_view key, std::string_view example) const {
  file_.error(table_.spot, "{} has no {}; write for example {}", title_, key, example);
}

void TableReader::report_unknown_keys() const {
  for (const Member& member : *table_.as<Node::Table>()) {
    if (std::find(asked_.begin(), asked_.end(), member.key) != asked_.end()) continue;
    file_.error(member.key_spot, "unknown {} \"{}\" in {}{}",
                is_table_like(member.value) ? "table" : "key", printable(member.key), title_,
                did_you_mean(member.key, asked_));
  }
}

bool read_log_level(TableReader& reader, std::string_view key, LogLevel& target) {
  return reader.choice(key, target,
                       {{"trace", LogLevel::trace},
                        {"debug", LogLevel::debug},
                        {"info", LogLevel::info},
                        {"warn", LogLevel::warn},
                        {"error", LogLevel::error}});
}

void read_backoff(TableReader& reader, std::string_view min_key, std::string_view max_key,
                  Backoff& target) {
  constexpr Millis kLongest = std::chrono::hours(7 * 24);
  const bool min_is_good =
      reader.get(min_key) == nullptr || reader.duration(min_key, target.min, Millis(1), kLongest);
  const bool max_is_good =
      reader.get(max_key) == nullptr || reader.duration(max_key, target.max, Millis(1), kLongest);
  if (!min_is_good || !max_is_good || target.max >= target.min) return;
  reader.file().error(reader.spot_of(reader.get(max_key) != nullptr ? max_key : min_key),
                      "{} ({}) is less than {} ({}); write a larger {}", max_key,
                      format_duration(target.max), min_key, format_duration(target.min), max_key);
}

void TableReader::report_no_choice(std::string_view key, const Text& word,
                                   std::span<const std::string_view> words) const {
  std::string list;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const char* separator = i == 0 ? "" : i + 1 == words.size() ? " or " : ", ";
    list += fmt::format("{}\"{}\"", separator, words[i]);
  }
  file_.error(word.spot, "{} = \"{}\" is not known; it must be {}{}", key, word.shown, list,
              did_you_mean(word.shown, words));
}

void TableReader::report_type(std::string_view key, const Node& node,
                              std::string_view expected) const {
  file_.error(node.spot, "{} must be {}, not {}", key, expected, type_name(node));
}

}  // namespace triggerd::config
