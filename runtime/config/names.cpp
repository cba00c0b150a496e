#include "config/names.hpp"

#include <algorithm>

namespace triggerd::config {
namespace {

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_made_of(std::string_view text, std::string_view punctuation) {
  return !text.empty() && text.size() <= kMaxName && is_alphanumeric(text[0]) &&
         std::all_of(text.begin(), text.end(), [punctuation](char c) {
           return is_alphanumeric(c) || punctuation.find(c) != std::string_view::npos;
         });
}

}  // namespace

bool is_name(std::string_view text) {
  return is_made_of(text, "_.-");
}

bool is_plugin_name(std::string_view text) {
  return is_made_of(text, "_-");
}

}  // namespace triggerd::config
