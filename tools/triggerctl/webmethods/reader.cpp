#include "webmethods/reader.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"

namespace triggerd::webmethods {
namespace {

// "Retry interval (seconds)" -> "retryinterval".
std::string simplified(std::string_view label) {
  std::string out;
  for (const char c : label.substr(0, label.find('('))) {
    if (c >= 'A' && c <= 'Z') {
      out += static_cast<char>(c - 'A' + 'a');
    } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      out += c;
    }
  }
  return out;
}

struct Label {
  std::string_view name;   // of the field, or a word of a choice
  std::string_view label;  // simplified: the label on a screen, if it differs in more than case
};
constexpr std::array<Label, 12> kFields{{
    {"aliasName", "connectionaliasname"},
    {"packageName", "package"},
    {"clientId", "connectionclientid"},
    {"useCleanSession", "usecleansessionforsubscriptions"},
    {"keepAlive", "keepaliveinterval"},
    {"connectionAliasName", "mqttconnectionaliasname"},
    {"serviceName", "service"},
    {"serviceName", "triggerservice"},
    {"topicName", "topic"},
    {"acknowledgement", "acknowledgementmode"},
    {"acknowledgement", "acknowledgmentmode"},
    {"acknowledgement", "acknowledgment"},
}};
constexpr std::array<Label, 7> kWords{{
    {"client", "clientacknowledgement"},
    {"client", "clientacknowledgment"},
    {"auto", "autoacknowledgement"},
    {"auto", "autoacknowledgment"},
    {"auto", "automatic"},
    {"auto", "automaticacknowledgement"},
    {"stopTrigger", "suspendandretrylater"},
}};

template <std::size_t Count>
bool means(const std::array<Label, Count>& labels, std::string_view name, std::string_view said) {
  const std::string label = simplified(said);
  if (label.empty()) return false;
  return label == simplified(name) ||
         std::any_of(labels.begin(), labels.end(),
                     [&](const Label& one) { return one.name == name && one.label == label; });
}

std::string_view trimmed(std::string_view text) {
  constexpr const char* kSpace = " \t\r\n";
  const std::size_t begin = std::min(text.find_first_not_of(kSpace), text.size());
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

std::optional<long long> as_integer(const Value& value) {
  if (value.kind == Value::Kind::integer) return value.integer;
  if (value.kind != Value::Kind::text) return std::nullopt;
  const std::string_view text = trimmed(value.text);
  long long number = 0;
  const char* end = text.data() + text.size();
  const auto [at, failure] = std::from_chars(text.data(), end, number);
  if (text.empty() || failure != std::errc() || at != end) return std::nullopt;
  return number;
}

std::optional<bool> as_flag(const Value& value) {
  if (value.kind == Value::Kind::boolean) return value.boolean;
  if (value.kind != Value::Kind::text) return std::nullopt;
  const std::string word = simplified(value.text);
  for (const std::string_view yes : {"true", "yes", "on", "enabled"}) {
    if (word == yes) return true;
  }
  for (const std::string_view no : {"false", "no", "off", "disabled"}) {
    if (word == no) return false;
  }
  return std::nullopt;
}

}  // namespace

const Member* FieldReader::member(std::string_view field) const {
  const auto& members = object_.members;
  const auto exact = std::find_if(members.begin(), members.end(),
                                  [field](const Member& one) { return one.name == field; });
  if (exact != members.end()) return &*exact;
  const auto label = std::find_if(members.begin(), members.end(), [field](const Member& one) {
    return means(kFields, field, one.name);
  });
  return label == members.end() ? nullptr : &*label;
}

const Value* FieldReader::find(std::string_view field) const {
  const Member* found = member(field);
  return found == nullptr || found->value.kind == Value::Kind::null ? nullptr : &found->value;
}

const Value* FieldReader::take(std::string_view field) {
  asked_.insert(std::string(field));
  if (const Member* found = member(field)) used_.insert(found);
  return find(field);
}

void FieldReader::wrong(const Value& value, std::string_view field, std::string_view wanted) {
  const bool shown =
      value.kind != Value::Kind::array && value.kind != Value::Kind::object && !value.text.empty();
  error(value.line, fmt::format("{} must be {}, not {}", field, wanted,
                                shown ? fmt::format("\"{}\"", printable(value.text, 60))
                                      : to_string(value.kind)));
}

Read<std::string> FieldReader::text(std::string_view field, std::string value) {
  const Value* found = take(field);
  if (found == nullptr) return {std::move(value), object_.line, false};
  const bool good = found->kind == Value::Kind::text || found->kind == Value::Kind::integer;
  if (!good) wrong(*found, field, "a text");
  if (good) value = found->text;
  return {std::move(value), found->line, good};
}

Read<std::string> FieldReader::needed_text(std::string_view field) {
  Read<std::string> read = text(field);
  if (!has(field) || (read.given && read.value.empty())) {
    error(read.line, fmt::format("{} is missing", field));
    read.given = false;
  }
  return read;
}

Read<bool> FieldReader::flag(std::string_view field, bool value) {
  const Value* found = take(field);
  if (found == nullptr) return {value, object_.line, false};
  const auto read = as_flag(*found);
  if (!read) wrong(*found, field, "true or false");
  return {read.value_or(value), found->line, read.has_value()};
}

Read<long long> FieldReader::integer(std::string_view field, long long value, long long min,
                                     long long max) {
  const Value* found = take(field);
  if (found == nullptr) return {value, object_.line, false};
  const auto read = as_integer(*found);
  if (read && *read >= min && *read <= max) return {*read, found->line, true};
  wrong(*found, field, fmt::format("a whole number from {} to {}", min, max));
  return {value, found->line, false};
}

Read<long long> FieldReader::qos() {
  constexpr std::array<std::string_view, 3> kLabels{"atmostonce", "atleastonce", "exactlyonce"};
  const Value* found = find("qos");
  if (found != nullptr && found->kind == Value::Kind::text) {
    const auto at = std::find(kLabels.begin(), kLabels.end(), simplified(found->text));
    if (at != kLabels.end()) return {at - kLabels.begin(), take("qos")->line, true};
  }
  return integer("qos", 1, 0, 2);
}

Read<std::size_t> FieldReader::choice(std::string_view field,
                                      std::initializer_list<std::string_view> words) {
  const Value* found = take(field);
  if (found == nullptr) return {0, object_.line, false};
  const auto at = std::find_if(words.begin(), words.end(), [found](std::string_view word) {
    return means(kWords, word, found->text);
  });
  if (found->kind == Value::Kind::text && at != words.end()) {
    return {static_cast<std::size_t>(at - words.begin()), found->line, true};
  }
  std::string wanted;
  for (const std::string_view word : words) {
    wanted += fmt::format("{}\"{}\"", wanted.empty() ? "" : " or ", word);
  }
  wrong(*found, field, wanted);
  return {0, found->line, false};
}

const Value* FieldReader::object(std::string_view field) {
  const Value* found = take(field);
  if (found == nullptr || found->kind == Value::Kind::object) return found;
  wrong(*found, field, "an object");
  return nullptr;
}

const std::vector<Value>* FieldReader::list(std::string_view field) {
  const Value* found = take(field);
  if (found == nullptr) return nullptr;
  if (found->kind == Value::Kind::array) return &found->items;
  wrong(*found, field, "a list");
  return nullptr;
}

void FieldReader::finish() {
  std::vector<std::string_view> known(asked_.begin(), asked_.end());
  for (const Member& member : object_.members) {
    if (used_.count(&member) > 0) continue;
    const std::string near =
        asked_.count(member.name) > 0 ? std::string() : closest(member.name, known);
    findings_.ignored.push_back(
        {member.value.line,
         fmt::format("{}: \"{}\" has no counterpart in triggers.toml and is left out{}", what_,
                     printable(member.name),
                     near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near))});
  }
}

}  // namespace triggerd::webmethods
