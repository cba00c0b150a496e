#include "base/base64.hpp"

namespace triggerd {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = bytes.size() - i;
    unsigned bits = static_cast<unsigned>(static_cast<unsigned char>(bytes[i])) << 16;
    if (left > 1) bits |= static_cast<unsigned>(static_cast<unsigned char>(bytes[i + 1])) << 8;
    if (left > 2) bits |= static_cast<unsigned char>(bytes[i + 2]);
    text += kDigits[bits >> 18];
    text += kDigits[bits >> 12 & 63];
    text += left > 1 ? kDigits[bits >> 6 & 63] : '=';
    text += left > 2 ? kDigits[bits & 63] : '=';
  }
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    unsigned bits = 0;
    unsigned padding = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const char c = text[i + k];
      const auto digit = kDigits.find(c);
      const bool is_padding = c == '=' && i + 4 == text.size() && k >= 2;
      if (is_padding) ++padding;
      if (!is_padding && (digit == std::string_view::npos || padding > 0)) return std::nullopt;
      bits = bits << 6 | (is_padding ? 0U : static_cast<unsigned>(digit));
    }
    bytes += static_cast<char>(bits >> 16);
    if (padding < 2) bytes += static_cast<char>(bits >> 8 & 255);
    if (padding < 1) bytes += static_cast<char>(bits & 255);
  }
  return bytes;
}

}  // namespace triggerd
