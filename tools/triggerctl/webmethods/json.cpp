#include "webmethods/json.hpp"

#include <fmt/core.h>

#include <cstdint>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/text.hpp"

namespace triggerd::webmethods {
namespace {

constexpr std::size_t kMaxBytes = 16U << 20;
constexpr std::size_t kMaxDepth = 32;

// Counts the lines that the parser has read.
struct Position {
  unsigned line = 1;
  char last = '\0';
};

class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, Position* position) : at_(at), position_(position) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    position_->last = *at_;
    if (*at_ == '\n') ++position_->line;
    ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const CountingIterator& a, const CountingIterator& b) {
    return a.at_ == b.at_;
  }
  friend bool operator!=(const CountingIterator& a, const CountingIterator& b) { return !(a == b); }

 private:
  const char* at_;
  Position* position_;
};

// Receives the parser's events, and makes the tree of them.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(const Position& position) : position_(position) {}

  bool null() override { return add({.kind = Value::Kind::null, .line = position_.line}); }
  bool boolean(bool value) override {
    return add({.kind = Value::Kind::boolean, .line = position_.line, .boolean = value});
  }
  bool number_integer(number_integer_t value) override { return whole(value); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return add(
          {.kind = Value::Kind::fraction, .line = line_of_number(), .text = std::to_string(value)});
    }
    return whole(static_cast<std::int64_t>(value));
  }
  bool number_float(number_float_t, const string_t& text) override {
    return add({.kind = Value::Kind::fraction, .line = line_of_number(), .text = text});
  }
  bool string(string_t& text) override {
    return add({.kind = Value::Kind::text, .line = position_.line, .text = std::move(text)});
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Value::Kind::object); }
  bool start_array(std::size_t) override { return open(Value::Kind::array); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    for (const Member& member : open_.back()->members) {
      if (member.name != name) continue;
      error_ = {position_.line, fmt::format("\"{}\" appears twice, first on line {}",
                                            printable(name), member.value.line)};
      return false;
    }
    key_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& e) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: what is wrong"
    std::string what = e.what();
    if (const auto colon = what.find(": "); colon != std::string::npos) what.erase(0, colon + 2);
    const unsigned line = position_.last == '\n' ? position_.line - 1 : position_.line;
    error_ = {line, "not valid JSON: " + printable(what)};
    return false;
  }

  Value take_root() { return std::move(root_); }
  const std::optional<Remark>& error() const { return error_; }

 private:
  // The parser finds the end of a number by reading the next character.
  unsigned line_of_number() const {
    return position_.last == '\n' ? position_.line - 1 : position_.line;
  }
  bool whole(long long value) {
    return add({.kind = Value::Kind::integer,
                .line = line_of_number(),
                .integer = value,
                .text = std::to_string(value)});
  }
  Value& place(Value value) {
    if (open_.empty()) return root_ = std::move(value);
    Value& parent = *open_.back();
    if (parent.kind == Value::Kind::array) return parent.items.emplace_back(std::move(value));
    return parent.members.emplace_back(Member{std::move(key_), std::move(value)}).value;
  }
  bool add(Value value) {
    place(std::move(value));
    return true;
  }
  bool open(Value::Kind kind) {
    if (open_.size() == kMaxDepth) {
      error_ = {position_.line, fmt::format("it is nested more than {} levels deep", kMaxDepth)};
      return false;
    }
    open_.push_back(&place({.kind = kind, .line = position_.line}));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const Position& position_;
  Value root_;
  // Each points into the one before; none grows while one above it is open.
  std::vector<Value*> open_;
  std::string key_;
  std::optional<Remark> error_;
};

}  // namespace

std::string_view to_string(Value::Kind kind) {
  switch (kind) {
    case Value::Kind::null:
      return "null";
    case Value::Kind::boolean:
      return "true or false";
    case Value::Kind::integer:
    case Value::Kind::fraction:
      return "a number";
    case Value::Kind::text:
      return "a text";
    case Value::Kind::array:
      return "a list";
    case Value::Kind::object:
      return "an object";
  }
  return "null";
}

tl::expected<Value, Remark> parse_json(std::string_view text) {
  if (text.size() > kMaxBytes) {
    return tl::make_unexpected(Remark{1, "it is larger than 16 MiB; split it"});
  }
  Position position;
  Builder builder(position);
  const bool parsed =
      nlohmann::json::sax_parse(CountingIterator(text.data(), &position),
                                CountingIterator(text.data() + text.size(), &position), &builder);
  if (parsed) return builder.take_root();
  return tl::make_unexpected(builder.error().value_or(Remark{position.line, "not valid JSON"}));
}

}  // namespace triggerd::webmethods
