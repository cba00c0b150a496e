#include "config/nesting.hpp"

#include <vector>

namespace triggerd::config {
namespace {

class NestingScanner {
 public:
  NestingScanner(std::string_view text, unsigned limit) : text_(text), limit_(limit) {}

  std::optional<Spot> run() {
    while (at_ < text_.size()) {
      if (!step()) return Spot{line_, column()};
    }
    return std::nullopt;
  }

 private:
  // False once the limit is exceeded.
  bool step() {
    switch (text_[at_]) {
      case '#':
        skip_line();
        return true;
      case '"':
      case '\'':
        skip_string(text_[at_]);
        return true;
      case '\n':
        if (open_.size() == 1) end_key();
        next_line();
        return true;
      case ',':
        end_key();
        break;
      case '[':
      case '{':
        open_.push_back(0);
        ++depth_;
        break;
      case ']':
      case '}':
        if (open_.size() > 1) {
          end_key();
          open_.pop_back();
          --depth_;
        }
        break;
      case '.':
        ++open_.back();
        ++depth_;
        break;
      default:
        break;
    }
    if (depth_ > limit_) return false;
    ++at_;
    return true;
  }

  // The dots of a key count until its value ends.
  void end_key() {
    depth_ -= open_.back();
    open_.back() = 0;
  }

  void next_line() {
    ++at_;
    ++line_;
    line_start_ = at_;
  }

  void skip_line() {
    while (at_ < text_.size() && text_[at_] != '\n') ++at_;
  }

  void skip_string(char quote) {
    const std::string_view rest = text_.substr(at_);
    const bool multi_line = rest.size() >= 3 && rest[1] == quote && rest[2] == quote;
    at_ += multi_line ? 3 : 1;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\n') {
        if (!multi_line) return;  // not valid, and TOML++ stops here
        next_line();
        continue;
      }
      ++at_;
      if (c == '\\' && quote == '"') {
        // The character behind it, unless it is the line break that a multi-line string may escape.
        if (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else if (c == quote && (!multi_line || closes_multi_line(quote))) {
        return;
      }
    }
  }

  // After a first quote: two more close the string, and up to two before those belong to the text.
  bool closes_multi_line(char quote) {
    std::size_t more = 0;
    while (more < 4 && at_ + more < text_.size() && text_[at_ + more] == quote) ++more;
    at_ += more;
    return more >= 2;
  }

  std::uint32_t column() const {
    std::uint32_t column = 1;
    for (std::size_t i = line_start_; i < at_; ++i) {
      if ((static_cast<unsigned char>(text_[i]) & 0xC0) != 0x80) ++column;
    }
    return column;
  }

  const std::string_view text_;
  const unsigned limit_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  std::size_t line_start_ = 0;
  std::vector<unsigned> open_{0};  // the dots seen in each open bracket; first: outside of all
  unsigned depth_ = 0;
};

}  // namespace

std::optional<Spot> find_deep_nesting(std::string_view toml, unsigned limit) {
  return NestingScanner(toml, limit).run();
}

}  // namespace triggerd::config
