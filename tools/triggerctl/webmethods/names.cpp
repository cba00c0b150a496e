#include "webmethods/names.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>

#include "config/names.hpp"

namespace triggerd::webmethods {
namespace {

constexpr std::size_t kRoomForNumber = 8;
constexpr std::size_t kMaxService = 64;  // trigger_service.name

bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// "onHTTPAlarm2" -> "on-http-alarm2".
std::string in_lower_case(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_upper(c)) {
      const bool after_word = i > 0 && is_lower_or_digit(text[i - 1]);
      const bool before_word = i > 0 && is_upper(text[i - 1]) && i + 1 < text.size() &&
                               text[i + 1] >= 'a' && text[i + 1] <= 'z';
      if ((after_word || before_word) && !out.empty() && out.back() != '-') out += '-';
      out += static_cast<char>(c - 'A' + 'a');
    } else if (is_lower_or_digit(c)) {
      out += c;
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
  }
  while (out.ends_with('-')) out.pop_back();
  return out.empty() ? "service" : out.substr(0, kMaxService);
}

}  // namespace

std::string as_name(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool kept = is_upper(c) || is_lower_or_digit(c) || c == '_' || c == '.' || c == '-';
    const char made = kept ? c : c == ':' ? '.' : '-';
    if (!kept && made == '-' && out.ends_with('-')) continue;
    if (out.empty() && !is_upper(made) && !is_lower_or_digit(made)) continue;
    out += made;
  }
  if (out.empty()) out = "unnamed";
  return out.substr(0, config::kMaxName - kRoomForNumber);
}

std::string as_service(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return in_lower_case(text);
  return in_lower_case(text.substr(0, colon)) + ':' + in_lower_case(text.substr(colon + 1));
}

std::string as_package(std::string_view text) {
  constexpr std::size_t kMost = kMaxService - kRoomForNumber;
  const bool good = !text.empty() && text.size() <= kMost && is_lower_or_digit(text[0]) &&
                    std::all_of(text.begin(), text.end(), [](char c) {
                      return is_lower_or_digit(c) || c == '_' || c == '-';
                    });
  if (good) return std::string(text);
  std::string name = in_lower_case(text).substr(0, kMost);
  while (name.ends_with('-')) name.pop_back();
  return name;
}

std::string Names::give(std::string_view original, std::string_view wanted) {
  const std::string base = as_name(wanted);
  std::string name = base;
  for (unsigned number = 2; !taken_.insert(name).second; ++number) {
    name = fmt::format("{}-{}", base, number);
  }
  given_.emplace(original, name);
  return name;
}

std::string Names::find(std::string_view original) const {
  const auto found = given_.find(original);
  return found == given_.end() ? std::string() : found->second;
}

}  // namespace triggerd::webmethods
