// A program that prints the password of an alias: a token that ends after a while, for example.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace triggerd::config {

struct PasswordCommand {
  std::vector<std::string> words;  // the program first; may have placeholders. Empty: none
  Millis timeout{10'000};
  friend bool operator==(const PasswordCommand&, const PasswordCommand&) = default;
};

// What the placeholders {alias}, {client_id} and {user_name} stand for.
struct PasswordCommandNames {
  std::string_view alias;
  std::string_view client_id;
  std::string_view user_name;
};

// `word` with its placeholders replaced; "{{" and "}}" are braces. It is an error if a placeholder
// is unknown, or a brace stands alone. [any]
Result<std::string> expand_word(std::string_view word, const PasswordCommandNames& names);

}  // namespace triggerd::config
