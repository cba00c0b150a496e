// Encodes values as bytes for records and frames. A text is its length, its bytes and a NUL, so
// that a service can be given it without a copy.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace triggerd::plugin::isolation {

class Encoder {
 public:
  explicit Encoder(std::string& into) : into_(into) { into_.clear(); }

  template <class T>
  Encoder& number(T value) {
    static_assert(std::is_arithmetic_v<T>);
    into_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Encoder& text(std::string_view text) {
    number(static_cast<std::uint64_t>(text.size()));
    into_.append(text);
    into_.push_back('\0');
    return *this;
  }

 private:
  std::string& into_;
};

// Decodes bytes that may be anything. After the first error every value is 0 or empty, and
// complete() is false.
class Decoder {
 public:
  explicit Decoder(std::string_view from) : from_(from) {}

  template <class T>
  T number() {
    static_assert(std::is_arithmetic_v<T>);
    T value{};
    if (from_.size() < sizeof value) {
      failed_ = true;
      from_ = {};
      return value;
    }
    std::memcpy(&value, from_.data(), sizeof value);
    from_.remove_prefix(sizeof value);
    return value;
  }
  std::string_view text() {
    const auto size = number<std::uint64_t>();
    if (size >= from_.size() || from_[size] != '\0') {
      failed_ = true;
      from_ = {};
      return "";
    }
    const std::string_view text = from_.substr(0, size);
    from_.remove_prefix(size + 1);
    return text;
  }
  // A count of items that take at least `each` bytes; an error if so many cannot follow.
  std::uint32_t count(std::size_t each) {
    const auto count = number<std::uint32_t>();
    if (count <= from_.size() / each) return count;
    failed_ = true;
    from_ = {};
    return 0;
  }

  bool failed() const { return failed_; }
  bool complete() const { return !failed_ && from_.empty(); }

 private:
  std::string_view from_;
  bool failed_ = false;
};

}  // namespace triggerd::plugin::isolation
