#include "webmethods/toml.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>

#include "base/text.hpp"

namespace triggerd::webmethods {
namespace {

constexpr std::size_t kColumns = 100;
constexpr std::size_t kMaxComment = 2'000;

}  // namespace

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '$' && i + 1 < text.size() && text[i + 1] == '{') {
      out += "$$";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  out += '"';
  return out;
}

std::string toml_key(std::string_view name) {
  const bool bare = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  return bare ? std::string(name) : toml_string(name);
}

void TomlWriter::comment(std::string_view text) {
  const std::string safe = printable(text, kMaxComment);
  std::size_t column = 1;
  text_ += '#';
  for (std::size_t at = 0; at < safe.size();) {
    const std::size_t space = std::min(safe.find(' ', at), safe.size());
    const std::size_t length = space - at;
    if (column > 1 && column + 1 + length > kColumns) {
      text_ += "\n#";
      column = 1;
    }
    text_ += ' ';
    text_.append(safe, at, length);
    column += 1 + length;
    at = space + 1;
  }
  text_ += '\n';
}

void TomlWriter::set(std::string_view key, std::string_view value) {
  text_ += fmt::format("{} = {}\n", key, value);
}

}  // namespace triggerd::webmethods
