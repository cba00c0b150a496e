// Lines of TOML, with comments above the lines that they are about.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace triggerd::webmethods {

// A basic string that triggerd reads back unchanged: "${" does not begin a variable.
std::string toml_string(std::string_view text);

class TomlWriter {
 public:
  void blank() { text_ += '\n'; }
  // Whatever is in it, it stays a comment; wrapped at 100 columns.
  void comment(std::string_view text);
  void header(std::string_view header) { text_ += std::string(header) + '\n'; }
  // `value` is TOML already.
  void set(std::string_view key, std::string_view value);
  void set_text(std::string_view key, std::string_view text) { set(key, toml_string(text)); }

  std::string take() && { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace triggerd::webmethods
