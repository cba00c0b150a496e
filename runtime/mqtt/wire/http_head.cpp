#include "mqtt/wire/http_head.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace triggerd::mqtt::wire {
namespace {

constexpr std::string_view kBegins = "HTTP/1.";
constexpr std::size_t kShownOfHead = 64;
constexpr int kSwitchingProtocols = 101;
constexpr int kFirstFinal = 200;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";

// What the name of a field is made of (RFC 9110, section 5.6.2).
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    const char small = lower(c);
    return is_digit(c) || (small >= 'a' && small <= 'z') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

bool has_controls(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < ' ' && c != '\t') || byte == 0x7f;
  });
}

}  // namespace

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char one, char other) { return lower(one) == lower(other); });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::size_t HttpHead::take(std::string_view bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size() && !whole_ && fault_ == Fault::none) {
    if (size_ == kMost) {
      fault_ = Fault::too_long;
      break;
    }
    const std::string_view rest = bytes.substr(taken, kMost - size_);
    const std::size_t end = rest.find('\n');
    const bool ends = end != std::string_view::npos;
    const std::size_t size = ends ? end + 1 : rest.size();
    size_ += size;
    taken += size;
    const std::size_t before = line_.size();
    line_.append(rest.substr(0, ends ? end : size));
    // Said at once: whatever speaks something else may never send a line.
    const std::size_t compared = std::min(line_.size(), kBegins.size());
    if (status_ == 0 && line_.compare(0, compared, kBegins.substr(0, compared)) != 0) {
      refuse(line_.substr(0, before).append(rest.substr(0, kShownOfHead)));
    } else if (ends) {
      end_line();
    }
  }
  return taken;
}

void HttpHead::refuse(std::string_view came) {
  fault_ = Fault::not_http;
  came_ = came.substr(0, kShownOfHead);
}

void HttpHead::end_line() {
  if (line_.ends_with('\r')) line_.pop_back();
  if (status_ == 0) {
    take_status_line();
  } else if (!line_.empty()) {
    take_field_line();
  } else if (status_ < kFirstFinal && status_ != kSwitchingProtocols) {
    status_ = 0;
    fields_.clear();
    malformed_.clear();
  } else {
    whole_ = true;
  }
  line_.clear();
}

// "HTTP/1.1 403 Forbidden"; some leave the phrase out, and the blank before it too.
void HttpHead::take_status_line() {
  constexpr std::size_t kVersion = kBegins.size() + 1;
  constexpr std::size_t kDigits = 3;
  const std::string_view line = line_;
  if (line.size() < kVersion || !is_digit(line[kVersion - 1])) return refuse(line);
  const std::string_view rest = trimmed(line.substr(kVersion));
  const std::string_view digits = rest.substr(0, kDigits);
  const bool is_status = line.size() > kVersion && line[kVersion] == ' ' &&
                         digits.size() == kDigits && digits[0] != '0' &&
                         std::all_of(digits.begin(), digits.end(), is_digit) &&
                         (rest.size() == kDigits || rest[kDigits] == ' ');
  if (!is_status) return refuse(line);
  for (const char digit : digits) status_ = status_ * 10 + (digit - '0');
  phrase_ = trimmed(rest.substr(kDigits));
}

void HttpHead::take_field_line() {
  const std::string_view line = line_;
  const bool folded = is_blank(line[0]);
  const bool is_field =
      folded ? !fields_.empty()
             : is_token(line.substr(0, line.find(':'))) && line.find(':') != line.npos;
  if (malformed_.empty() && (!is_field || has_controls(line)))
    malformed_ = printable(line, kShownOfHead);
  if (folded && !fields_.empty()) fields_.back() = ' ';
  fields_.append(folded ? trimmed(line) : line).append("\n");
}

std::string HttpHead::status_text() const {
  if (phrase_.empty()) return fmt::format("{}", status_);
  return fmt::format("{} {}", status_, printable(phrase_, 2 * kShownOfHead));
}

std::optional<std::string> HttpHead::field(std::string_view name) const {
  std::optional<std::string> found;
  for (std::string_view rest = fields_; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !same_word(line.substr(0, colon), name)) continue;
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (found) {
      found->append(", ").append(value);
    } else {
      found = std::string(value);
    }
  }
  return found;
}

}  // namespace triggerd::mqtt::wire
