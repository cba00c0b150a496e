#include "config/password_command.hpp"

namespace triggerd::config {
namespace {

const std::string_view* value_of(std::string_view placeholder, const PasswordCommandNames& names) {
  if (placeholder == "alias") return &names.alias;
  if (placeholder == "client_id") return &names.client_id;
  return placeholder == "user_name" ? &names.user_name : nullptr;
}

}  // namespace

Result<std::string> expand_word(std::string_view word, const PasswordCommandNames& names) {
  std::string out;
  while (!word.empty()) {
    const std::size_t brace = word.find_first_of("{}");
    out += word.substr(0, brace);
    if (brace == std::string_view::npos) return out;
    word.remove_prefix(brace);
    if (word.starts_with("{{") || word.starts_with("}}")) {
      out += word.front();
      word.remove_prefix(2);
      continue;
    }
    const std::size_t end = word.find('}');
    // The word may hold a secret, so no part of it is shown.
    if (word.front() == '}' || end == std::string_view::npos) {
      return fail("a brace stands alone; write {} for one that is meant",
                  word.front() == '}' ? "}}" : "{{");
    }
    const auto* value = value_of(word.substr(1, end - 1), names);
    if (value == nullptr) {
      return fail(
          "a placeholder is unknown; there are {{alias}}, {{client_id}} and {{user_name}}, "
          "and {{{{ and }}}} are braces");
    }
    out += *value;
    word.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace triggerd::config
