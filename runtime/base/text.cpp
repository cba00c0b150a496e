#include "base/text.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace triggerd {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// The length of the well-formed UTF-8 sequence at the front of `text`, 0 where there is none.
// Unicode 15, table 3-7: no overlong forms, no surrogates, nothing past U+10FFFF.
std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  }
  if (length == 0 || text.size() < length) return 0;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  return length;
}

// Whether a format control stands at the beginning: see FormatControls.
bool begins_with_format_control(std::string_view bytes) {
  const auto between = [bytes](std::string_view first, std::string_view last) {
    const std::string_view own = bytes.substr(0, first.size());
    return own.size() == first.size() && own >= first && own <= last;
  };
  return between("\xD8\x9C", "\xD8\x9C") || between("\xE2\x80\x8E", "\xE2\x80\x8F") ||
         between("\xE2\x80\xA8", "\xE2\x80\xAE") || between("\xE2\x81\xA6", "\xE2\x81\xA9");
}

}  // namespace

std::string closest(std::string_view word, std::span<const std::string_view> candidates) {
  // A third of the word may be wrong; a word twice as long as any candidate is not worth comparing.
  std::size_t best = std::max<std::size_t>(1, word.size() / 3) + 1;
  std::string_view found;
  if (word.size() > 64) return {};
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best) {
      best = distance;
      found = candidate;
    }
  }
  return std::string(found);
}

std::string printable(std::string_view bytes, std::size_t limit, FormatControls format_controls) {
  std::string out;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t length = utf8_sequence(bytes.substr(at));
    const auto byte = static_cast<std::uint8_t>(bytes[at]);
    // U+0080..U+009F are control characters that some terminals obey.
    const bool c1 = length == 2 && byte == 0xC2 && static_cast<std::uint8_t>(bytes[at + 1]) < 0xA0;
    const bool moves_others = format_controls == FormatControls::escape &&
                              begins_with_format_control(bytes.substr(at, length));
    const bool hex = length == 0 || byte < 0x20 || byte == 0x7F || c1 || moves_others;
    const std::size_t shown = hex ? std::max<std::size_t>(length, 1) * 4 : length;
    if (out.size() + std::max<std::size_t>(shown, 4) > limit) return out + "...";
    if (hex) {
      for (std::size_t i = 0; i < std::max<std::size_t>(length, 1); ++i) {
        out += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(bytes[at + i]));
      }
    } else {
      out.append(bytes.substr(at, length));
    }
    at += std::max<std::size_t>(length, 1);
  }
  return out;
}

std::size_t append_format_control(std::string& out, std::string_view text) {
  if (!begins_with_format_control(text)) return 0;
  // Two or three bytes, with the code point in the low bits of each.
  const std::size_t size = static_cast<std::uint8_t>(text[0]) < 0xE0 ? 2 : 3;
  std::uint32_t code_point = static_cast<std::uint8_t>(text[0]) & (size == 2 ? 0x1FU : 0x0FU);
  for (std::size_t i = 1; i < size; ++i) {
    code_point = code_point << 6 | (static_cast<std::uint8_t>(text[i]) & 0x3FU);
  }
  out += fmt::format("\\u{:04x}", code_point);
  return size;
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (const std::size_t size = append_format_control(out, text.substr(at)); size > 0) {
      at += size - 1;
    } else if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (static_cast<std::uint8_t>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t length = utf8_sequence(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string percent_encoded(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
    if (unreserved) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<std::uint8_t>(c));
    }
  }
  return out;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

}  // namespace triggerd
