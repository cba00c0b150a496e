#include "webmethods/reader.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/text.hpp"

namespace triggerd::webmethods {
namespace {

std::optional<long long> as_integer(const Value& value) {
  if (value.kind == Value::Kind::integer) return value.integer;
  if (value.kind != Value::Kind::text) return std::nullopt;
  long long number = 0;
  const char* end = value.text.data() + value.text.size();
  const auto [at, failure] = std::from_chars(value.text.data(), end, number);
  if (failure != std::errc() || at != end) return std::nullopt;
  return number;
}

std::optional<bool> as_flag(const Value& value) {
  if (value.kind == Value::Kind::boolean) return value.boolean;
  if (value.kind != Value::Kind::text) return std::nullopt;
  if (value.text == "true" || value.text == "yes") return true;
  if (value.text == "false" || value.text == "no") return false;
  return std::nullopt;
}

}  // namespace

const Value* FieldReader::find(std::string_view field) const {
  const auto found = std::find_if(object_.members.begin(), object_.members.end(),
                                  [field](const Member& member) { return member.name == field; });
  if (found == object_.members.end() || found->value.kind == Value::Kind::null) return nullptr;
  return &found->value;
}

const Value* FieldReader::take(std::string_view field) {
  skip(field);
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

Read<std::size_t> FieldReader::choice(std::string_view field,
                                      std::initializer_list<std::string_view> words) {
  const Value* found = take(field);
  if (found == nullptr) return {0, object_.line, false};
  const auto at = std::find(words.begin(), words.end(), found->text);
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
    if (asked_.count(member.name) > 0) continue;
    const std::string near = closest(member.name, known);
    findings_.ignored.push_back(
        {member.value.line,
         fmt::format("{}: \"{}\" has no place in triggers.toml and is left out{}", what_,
                     printable(member.name),
                     near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near))});
  }
}

}  // namespace triggerd::webmethods
