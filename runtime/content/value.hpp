// A value of jq, which is freed when this is destroyed.
#pragma once

#include <string_view>
#include <utility>

#include "content/libjq.hpp"

namespace triggerd::content {

class Value {
 public:
  Value() : jv_(jv_invalid()) {}
  explicit Value(jv owned) : jv_(owned) {}
  ~Value() { jv_free(jv_); }
  Value(Value&& other) noexcept : jv_(std::exchange(other.jv_, jv_invalid())) {}
  Value& operator=(Value&& other) noexcept {
    std::swap(jv_, other.jv_);
    return *this;
  }

  // Valid: it is a value, and not the end of a program or an error.
  bool valid() const { return kind() != JV_KIND_INVALID; }
  jv_kind kind() const { return jv_get_kind(jv_); }
  // Neither null nor false, as `if` sees it.
  bool truthy() const { return valid() && kind() != JV_KIND_NULL && kind() != JV_KIND_FALSE; }
  // Of a string; valid as long as this is.
  std::string_view text() const {
    return {jv_string_value(jv_), static_cast<std::size_t>(jv_string_length_bytes(jv_copy(jv_)))};
  }

  // For libjq, whose functions take over what they are given.
  jv take() { return std::exchange(jv_, jv_invalid()); }
  jv copy() const { return jv_copy(jv_); }
  jv borrow() const { return jv_; }

 private:
  jv jv_;
};

inline jv string_value(std::string_view text) {
  return jv_string_sized(text.data(), static_cast<int>(text.size()));
}

}  // namespace triggerd::content
