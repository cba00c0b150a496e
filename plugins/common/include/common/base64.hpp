// Base64 of RFC 4648, section 4, with padding.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace plugin_common {

inline constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

inline std::string to_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = bytes.size() - i;
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < left ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += k <= left ? base64_digits[group >> (18 - 6 * k) & 0x3F] : '=';
    }
  }
  return out;
}

// The bytes that `text` stands for. nullopt: it is not base64, or its padding is missing. Bits that
// stand for nothing may have any value.
inline std::optional<std::string> from_base64(std::string_view text) {
  static constexpr std::uint8_t none = 64;
  static constexpr auto values = [] {
    std::array<std::uint8_t, 256> table{};
    for (std::uint8_t& value : table) value = none;
    for (std::size_t i = 0; i < base64_digits.size(); ++i) {
      table[static_cast<unsigned char>(base64_digits[i])] = static_cast<std::uint8_t>(i);
    }
    return table;
  }();
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  const std::string_view digits = text.substr(0, text.size() - padding);
  std::string out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t group = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const std::uint8_t value = values[static_cast<unsigned char>(digits[i])];
    if (value == none) return std::nullopt;
    group = (group << 6 | value) & 0xFFFFFF;
    if (i % 4 == 0) continue;
    out += static_cast<char>(group >> (6 - 2 * (i % 4)) & 0xFF);
  }
  return out;
}

}  // namespace plugin_common
