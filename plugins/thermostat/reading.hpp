// What a thermometer sends, and what an alert says about it.
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <trigger/cpp/text.hpp>

namespace thermostat {

// The payload as a number, spaces around it allowed; nullopt if it is not a number, or not finite.
inline std::optional<double> parse_celsius(std::string_view payload) {
  constexpr std::string_view space = " \t\r\n";
  const std::size_t begin = payload.find_first_not_of(space);
  if (begin == std::string_view::npos) return std::nullopt;
  payload = payload.substr(begin, payload.find_last_not_of(space) - begin + 1);
  double celsius = 0;
  const char* end = payload.data() + payload.size();
  const auto [stopped, error] = std::from_chars(payload.data(), end, celsius);
  if (error != std::errc() || stopped != end || !std::isfinite(celsius)) return std::nullopt;
  return celsius;
}

// The shortest text that reads back as `number`, which is finite; it is valid JSON, too.
inline std::string to_text(double number) {
  std::array<char, 32> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  return error == std::errc() ? std::string(buffer.data(), end) : std::string("0");
}

// `text`, which is UTF-8, as a JSON string (RFC 8259, section 7).
inline std::string json_string(std::string_view text) {
  constexpr const char* hex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20) {
      out += {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 0xF]};
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace thermostat
