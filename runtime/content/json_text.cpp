#include "content/json_text.hpp"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/json_depth.hpp"

namespace triggerd::content {
namespace {

// Makes jq's values of what the parser finds.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(Digits& digits) : digits_(digits) {}

  Value take() { return std::move(whole_); }
  const std::string& fault() const { return fault_; }

  bool null() override { return add(jv_null()); }
  bool boolean(bool value) override { return add(value ? jv_true() : jv_false()); }
  bool number_integer(number_integer_t value) override {
    return add_integer(static_cast<double>(value), std::to_string(value));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return add_integer(static_cast<double>(value), std::to_string(value));
  }
  bool number_float(number_float_t value, const string_t& literal) override {
    return add(jv_number(digits_.keep(value, literal)));
  }
  bool string(string_t& value) override { return add(string_value(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(jv_object()); }
  bool start_array(std::size_t) override { return open(jv_array()); }
  bool key(string_t& name) override {
    open_.back().key = Value(string_value(name));
    return true;
  }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    const std::string_view what = error.what();
    const std::size_t cause = what.rfind(": ");
    fault_ = fmt::format("at byte {}: {}", position,
                         cause == std::string_view::npos ? what : what.substr(cause + 2));
    return false;
  }

 private:
  // An array or object that is not complete.
  struct Open {
    Value container;
    Value key;
  };

  bool add_integer(double number, const std::string& literal) {
    return add(jv_number(digits_.keep(number, literal)));
  }
  bool open(jv container) {
    open_.push_back({Value(container), Value()});
    return true;
  }
  bool close() {
    Value container = std::move(open_.back().container);
    open_.pop_back();
    return add(container.take());
  }
  bool add(jv value) {
    if (open_.empty()) {
      whole_ = Value(value);
      return true;
    }
    Open& inside = open_.back();
    if (inside.container.kind() == JV_KIND_OBJECT) {
      inside.container = Value(jv_object_set(inside.container.take(), inside.key.take(), value));
    } else {
      inside.container = Value(jv_array_append(inside.container.take(), value));
    }
    return true;
  }

  Digits& digits_;
  Value whole_;
  std::vector<Open> open_;
  std::string fault_;
};

class Writer {
 public:
  Writer(const Digits& digits, std::size_t limit, std::string& into)
      : digits_(digits), limit_(limit), into_(into) {}

  bool write(const Value& value, std::size_t depth) {
    switch (value.kind()) {
      case JV_KIND_FALSE:
        into_ += "false";
        break;
      case JV_KIND_TRUE:
        into_ += "true";
        break;
      case JV_KIND_NUMBER:
        digits_.write(jv_number_value(value.borrow()), into_);
        break;
      case JV_KIND_STRING:
        write(value.text());
        break;
      case JV_KIND_ARRAY:
        return depth < kDeepest && write_array(value, depth + 1);
      case JV_KIND_OBJECT:
        return depth < kDeepest && write_object(value, depth + 1);
      default:
        into_ += "null";
    }
    return into_.size() <= limit_;
  }

 private:
  bool write_array(const Value& array, std::size_t depth) {
    into_ += '[';
    const int size = jv_array_length(array.copy());
    for (int i = 0; i < size; ++i) {
      if (i > 0) into_ += ',';
      if (!write(Value(jv_array_get(array.copy(), i)), depth)) return false;
    }
    into_ += ']';
    return into_.size() <= limit_;
  }

  bool write_object(const Value& object, std::size_t depth) {
    into_ += '{';
    bool first = true;
    const jv members = object.borrow();
    for (int at = jv_object_iter(members); jv_object_iter_valid(members, at) != 0;
         at = jv_object_iter_next(members, at)) {
      if (!std::exchange(first, false)) into_ += ',';
      write(Value(jv_object_iter_key(members, at)).text());
      into_ += ':';
      if (!write(Value(jv_object_iter_value(members, at)), depth)) return false;
    }
    into_ += '}';
    return into_.size() <= limit_;
  }

  void write(std::string_view text) {
    into_ += '"';
    for (const char c : text) {
      constexpr std::string_view kShort = "\"\\\b\f\n\r\t";
      constexpr std::string_view kLetters = "\"\\bfnrt";
      if (const std::size_t at = kShort.find(c); at != std::string_view::npos) {
        into_ += '\\';
        into_ += kLetters[at];
      } else if (static_cast<unsigned char>(c) < 0x20) {
        fmt::format_to(std::back_inserter(into_), "\\u{:04x}", static_cast<unsigned>(c));
      } else {
        into_ += c;
      }
    }
    into_ += '"';
  }

  const Digits& digits_;
  const std::size_t limit_;
  std::string& into_;
};

}  // namespace

Result<Value> read_json(std::string_view text, Digits& digits) {
  if (text.empty()) return Value(jv_null());
  if (json_is_deeper_than(text, kDeepest)) {
    return fail("JSON is nested deeper than {} levels", kDeepest);
  }
  Builder builder(digits);
  if (!nlohmann::json::sax_parse(text, &builder)) {
    return fail("no JSON {}", builder.fault());
  }
  return builder.take();
}

bool write_json(const Value& value, const Digits& digits, std::size_t limit, std::string& into) {
  return Writer(digits, limit, into).write(value, 0);
}

}  // namespace triggerd::content
