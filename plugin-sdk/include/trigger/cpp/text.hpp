// Text that crosses the ABI, and text for people. Included by trigger/plugin.hpp.
#ifndef TRIGGER_CPP_TEXT_HPP
#define TRIGGER_CPP_TEXT_HPP

#include <trigger/plugin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace trigger {
namespace detail {

inline trigger_str to_abi(std::string_view text) noexcept {
  return {text.data(), text.size()};
}

inline trigger_bytes bytes_to_abi(std::string_view bytes) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

inline std::string_view view(trigger_str text) noexcept {
  return {text.ptr, text.len};
}

inline std::string_view view(trigger_bytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.ptr), bytes.len};
}

// Length of the well-formed UTF-8 sequence (RFC 3629, section 4) that `bytes` begins with; 0 if it
// begins with none.
inline std::size_t utf8_sequence(std::string_view bytes) noexcept {
  const auto at = [bytes](std::size_t i) -> unsigned {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u;
  };
  const auto tail = [&at](std::size_t i) { return (at(i) & 0xC0u) == 0x80u; };
  const unsigned first = at(0);
  if (bytes.empty()) return 0;
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool overlong = first == 0xE0 && at(1) < 0xA0;
    const bool surrogate = first == 0xED && at(1) >= 0xA0;
    return tail(1) && tail(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool overlong = first == 0xF0 && at(1) < 0x90;
    const bool too_large = first == 0xF4 && at(1) >= 0x90;
    return tail(1) && tail(2) && tail(3) && !overlong && !too_large ? 4 : 0;
  }
  return 0;
}

// Fills result.reason: cut between characters; each invalid byte or NUL becomes '?'.
inline void write_reason(trigger_result& result, std::string_view text) noexcept {
  std::size_t used = 0;
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text);
    const bool keep = length != 0 && text.front() != '\0';
    const std::size_t size = keep ? length : 1;
    if (used + size >= sizeof(result.reason)) break;
    if (keep) {
      std::memcpy(result.reason + used, text.data(), size);
    } else {
      result.reason[used] = '?';
    }
    used += size;
    text.remove_prefix(size);
  }
  result.reason[used] = '\0';
}

}  // namespace detail

// `bytes` for people, on one line: printable UTF-8 as it is, every other byte as \xNN. At most the
// first `limit` bytes are shown, followed by "..." if there are more.
inline std::string printable(std::string_view bytes, std::size_t limit = 200) {
  constexpr const char* hex = "0123456789abcdef";
  std::string out;
  std::size_t shown = 0;
  while (shown < bytes.size()) {
    const std::string_view rest = bytes.substr(shown);
    const auto first = static_cast<unsigned char>(rest.front());
    const std::size_t length = detail::utf8_sequence(rest);
    // Control characters: C0, DEL, and the two-byte C1.
    const bool control =
        first < 0x20 || first == 0x7F ||
        (first == 0xC2 && length == 2 && static_cast<unsigned char>(rest[1]) < 0xA0);
    const std::size_t size = length == 0 || control ? 1 : length;
    if (shown + size > limit) return out + "...";
    if (length == 0 || control) {
      out += {'\\', 'x', hex[first >> 4], hex[first & 0xF]};
    } else {
      out += rest.substr(0, size);
    }
    shown += size;
  }
  return out;
}

}  // namespace trigger

#endif  // TRIGGER_CPP_TEXT_HPP
