#include "url_template.hpp"

#include <cstddef>
#include <optional>
#include <trigger/cpp/settings.hpp>
#include <utility>
#include <vector>

#include "common/template.hpp"
#include "url.hpp"

namespace http_forward {
namespace {

using trigger::SettingError;

// What servers accept at least (RFC 9110, section 4.1).
constexpr std::size_t max_url = 8000;

// All but the unreserved characters of RFC 3986.
void append_encoded(std::string& out, std::string_view value) {
  for (const char c : value) {
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved) {
      out += c;
    } else {
      append_percent(out, c);
    }
  }
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Empty if there is a percent sign without its two digits.
std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::size_t end_of_server(std::string_view url) {
  const std::size_t scheme = url.find("://");
  return scheme == std::string_view::npos ? scheme : url.find_first_of("/?#", scheme + 3);
}

// With the slash that it begins with, if there is one at all.
std::string_view path_of(std::string_view url) {
  const std::size_t begin = end_of_server(url);
  if (begin == std::string_view::npos || url[begin] != '/') return {};
  return url.substr(begin, url.find_first_of("?#", begin) - begin);
}

// What is wrong with a path that has to have the segments which its template has; empty if nothing
// is. Many servers decode a path before they look for segments, and some take a backslash for a
// slash, or ignore what follows a semicolon. So this does.
std::string path_problem(std::string_view path, bool ends_with_slash) {
  if (path.empty()) return {};
  const std::optional<std::string> all = decoded(path);
  if (!all) return "a % is not followed by two digits";
  std::string_view rest = std::string_view(*all).substr(1);
  for (bool more = true; more;) {
    const std::size_t end = rest.find_first_of("/\\");
    more = end != std::string_view::npos;
    const std::string_view segment = rest.substr(0, end);
    const std::string_view name = segment.substr(0, segment.find(';'));
    if (name == "." || name == "..") return "a segment of its path is . or ..";
    if (segment.empty() && (more || !ends_with_slash)) return "a segment of its path is empty";
    if (more) rest.remove_prefix(end + 1);
  }
  return {};
}

// With something in the place of each placeholder that changes no other part of a URL.
std::string sample_of(const std::vector<plugin_common::TemplatePart>& parts) {
  std::string sample;
  for (const auto& part : parts) sample += part.is_placeholder ? "x" : part.text;
  return sample;
}

bool ends_with(std::string_view text, char c) {
  return !text.empty() && text.back() == c;
}

}  // namespace

bool UrlTemplate::has_placeholders(std::string_view key, std::string_view text) {
  if (text.find_first_of("{}") == std::string_view::npos) return false;
  for (const auto& part : plugin_common::parse_template(key, text)) {
    if (part.is_placeholder) return true;
  }
  return false;
}

UrlTemplate::UrlTemplate(std::string_view key, const std::string& text) : template_(key, text) {
  const auto parts = plugin_common::parse_template(key, text);
  const std::string literal = parts.front().is_placeholder ? std::string() : parts.front().text;
  const std::string server_is_literal =
      "may have placeholders in its path and query alone: scheme, host and port must be there as "
      "they are";
  if (end_of_server(literal) == std::string::npos) throw SettingError(key, server_is_literal);
  const std::string sample = checked_url(key, sample_of(parts));
  if (!Url(sample).has_origin_of(Url(literal))) throw SettingError(key, server_is_literal);
  if (!decoded(sample)) {
    throw SettingError(key, "must have two hexadecimal digits after each %");
  }
  ends_with_slash_ = ends_with(path_of(sample), '/');
  if (const std::string problem = path_problem(path_of(sample), ends_with_slash_);
      !problem.empty()) {
    throw SettingError(key, "must not have placeholders while " + problem);
  }

  const std::size_t query = literal.find('?');
  const std::size_t slash = literal.rfind('/');
  const bool in_path = query == std::string::npos;
  beginning_ = literal.substr(0, in_path ? slash + 1 : query);
}

plugin_common::MessageTemplate::Text UrlTemplate::expand(const trigger::Message& message) const {
  auto made = template_.expand(message, &append_encoded);
  if (!made.text) return made;
  std::string problem = made.text->size() > max_url
                            ? "it would have more than " + std::to_string(max_url) + " bytes"
                            : path_problem(path_of(*made.text), ends_with_slash_);
  if (problem.empty()) return made;
  return {std::nullopt, std::move(problem), false};
}

}  // namespace http_forward
