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
  std::string escaped(text);
  for (std::size_t at = 0; (at = escaped.find("${", at)) != std::string::npos; at += 2) {
    escaped.insert(at, 1, '$');
  }
  return in_quotes(escaped);
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
