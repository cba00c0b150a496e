#include "config/secrets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/text.hpp"

namespace triggerd::config {
namespace {

constexpr std::string_view kMask = "***";

// A value is secret if its name contains one of these.
constexpr std::array<std::string_view, 21> kSecretParts = {
    "password",   "passwd",        "passphrase",   "passcode",        "secret",     "token",
    "apikey",     "accesskey",     "accountkey",   "authkey",         "sharedkey",  "signingkey",
    "encryptkey", "hmackey",       "functionskey", "subscriptionkey", "credential", "cookie",
    "signature",  "authorization", "bearer"};
// A value is also secret if this is its whole name.
constexpr std::array<std::string_view, 5> kSecretNames = {"pwd", "pass", "jwt", "sig", "sas"};
// The same for the parameters in the query of a URL.
constexpr std::array<std::string_view, 3> kSecretParameters = {"key", "code", "auth"};
// A name with one of these endings says where or how, so its value is not secret.
constexpr std::array<std::string_view, 6> kHarmlessEndings = {"file",     "url",   "uri",
                                                              "endpoint", "topic", "seconds"};
// The same, as whole names.
constexpr std::array<std::string_view, 2> kHarmlessNames = {"passwordcommand",
                                                            "passwordcommandtimeout"};

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.';
}
bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::string plain_name(std::string_view key) {
  std::string name;
  for (const char c : lower_case(key)) {
    if (c != '-' && c != '_' && c != '.' && c != ' ') name += c;
  }
  return name;
}

template <std::size_t N>
bool is_among(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// ${NAME}, without a default.
bool is_one_variable(std::string_view text) {
  return text.starts_with("${") && text.find(":-") == std::string_view::npos &&
         text.find('}') == text.size() - 1;
}

// Whether it stands for a value that comes from elsewhere.
bool is_placeholder(std::string_view value) {
  return value.empty() || value == kMask || is_one_variable(value);
}
// In a URL or a header, "{topic:2}" is one too. In a connection string, braces are quotes.
bool is_placeholder_or_template(std::string_view value) {
  return is_placeholder(value) || (value.front() == '{' && value.back() == '}');
}

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && is_blank(text[at])) ++at;
  return at;
}

// Whether "NAME =" follows `at` and any blanks; if so, `equals` is the position of its "=".
bool assignment_at(std::string_view text, std::size_t at, std::size_t& equals) {
  at = skip_blanks(text, at);
  const std::size_t begin = at;
  while (at < text.size() && is_word(text[at])) ++at;
  if (at == begin) return false;
  equals = skip_blanks(text, at);
  return equals < text.size() && text[equals] == '=';
}

// The end of the value that begins at `at`: after the closing quote if it is quoted, otherwise
// before the next assignment. What is doubtful belongs to the value.
std::size_t end_of_value(std::string_view text, std::size_t at, bool is_address) {
  if (at < text.size() && (text[at] == '\'' || text[at] == '"')) {
    for (std::size_t i = at + 1; i < text.size(); ++i) {
      if (text[i] == '\\') {
        ++i;
      } else if (text[i] == text[at]) {
        return i + 1;
      }
    }
    return text.size();
  }
  for (std::size_t i = at; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
      continue;
    }
    if (is_address && text[i] == '#') return i;
    if (text[i] != '&' && text[i] != ';' && text[i] != ',' && !is_blank(text[i])) continue;
    const std::size_t next = skip_blanks(text, i + 1);
    std::size_t equals = 0;
    if (assignment_at(text, next, equals) || next == text.size()) return i;
    i = next - 1;  // each run of blanks is looked at once
  }
  return text.size();
}

// "NAME=VALUE" anywhere in `text`, from `from` on.
std::string mask_assignments(std::string_view text, std::size_t from, bool is_address) {
  std::string out(text.substr(0, from));
  std::size_t at = from;
  while (at < text.size()) {
    const bool begins = is_word(text[at]) && (at == 0 || !is_word(text[at - 1]));
    std::size_t equals = 0;
    if (!begins || !assignment_at(text, at, equals)) {
      out += text[at++];
      continue;
    }
    std::size_t end = at;
    while (is_word(text[end])) ++end;
    const std::string name = plain_name(text.substr(at, end - at));
    const std::size_t value = skip_blanks(text, equals + 1);
    out += text.substr(at, value - at);
    at = value;
    if (!names_secret(name) && !(is_address && is_among(kSecretParameters, name))) continue;
    const std::size_t behind = end_of_value(text, value, is_address);
    const std::string_view held = text.substr(value, behind - value);
    const bool stands_for_another =
        is_address ? is_placeholder_or_template(held) : is_placeholder(held);
    out += stands_for_another ? held : kMask;
    at = behind;
  }
  return out;
}

// Masks the password in each "SCHEME://USER:PASSWORD@HOST".
std::string mask_logins(std::string_view text) {
  std::string out;
  for (;;) {
    const std::size_t scheme = text.find("://");
    if (scheme == std::string_view::npos) return out.append(text);
    const std::size_t begin = scheme + 3;
    // A "/" or "?" in a password should be encoded, but not everybody does that.
    std::size_t end = begin;
    while (end < text.size() && !is_blank(text[end]) && text[end] != '"' && text[end] != '\'' &&
           text.substr(end, 3) != "://") {
      ++end;
    }
    std::string_view authority = text.substr(begin, end - begin);
    const std::size_t slash = authority.find_first_of("/?#");
    std::size_t at_sign = authority.substr(0, slash).rfind('@');
    const std::size_t colon = authority.find(':');
    if (at_sign == std::string_view::npos && colon != std::string_view::npos) {
      // "u:p/w@host": not "h:80/path@2", whose port is a number.
      const std::string_view port = authority.substr(colon + 1, slash - colon - 1);
      const bool is_port =
          std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
      if (!is_port && authority[0] != '[') at_sign = authority.rfind('@');
    }
    if (at_sign == std::string_view::npos || colon == std::string_view::npos || colon > at_sign) {
      out.append(text.substr(0, begin));
      text.remove_prefix(begin);
      continue;
    }
    const std::string_view password = authority.substr(colon + 1, at_sign - colon - 1);
    out.append(text.substr(0, begin + colon + 1));
    out.append(is_placeholder_or_template(password) ? password : kMask);
    text.remove_prefix(begin + at_sign);
  }
}

// "Bearer X", "X-Api-Key: X": as in an HTTP header.
std::string mask_header(std::string_view text) {
  for (const std::string_view scheme : {"Bearer ", "Basic ", "Digest ", "SharedAccessSignature "}) {
    if (lower_case(text.substr(0, scheme.size())) != lower_case(scheme)) continue;
    if (is_placeholder_or_template(text.substr(scheme.size()))) return std::string(text);
    return std::string(text.substr(0, scheme.size())).append(kMask);
  }
  std::size_t end = 0;
  while (end < text.size() && is_word(text[end])) ++end;
  if (end == 0 || end >= text.size() || text[end] != ':' || !names_secret(text.substr(0, end))) {
    return std::string(text);
  }
  const std::size_t value = skip_blanks(text, end + 1);
  if (value == end + 1 || is_placeholder_or_template(text.substr(value))) return std::string(text);
  return std::string(text.substr(0, value)).append(kMask);
}

void hide(Node& node, const std::string& path, std::vector<std::string>& hidden) {
  if (auto* text = std::get_if<std::string>(&node.value)) {
    std::string shown = masked(*text);
    if (shown == *text) return;
    hidden.push_back(path);
    *text = std::move(shown);
    return;
  }
  if (auto* array = std::get_if<Node::Array>(&node.value)) {
    for (std::size_t i = 0; i < array->size(); ++i) {
      hide((*array)[i], fmt::format("{}.{}", path, i), hidden);
    }
    return;
  }
  auto* table = std::get_if<Node::Table>(&node.value);
  if (table == nullptr) return;
  const bool is_environment = path.starts_with("settings.") && path.ends_with(".environment") &&
                              std::count(path.begin(), path.end(), '.') == 1;
  std::vector<std::string> gone;
  for (Member& member : *table) {
    std::string at = path.empty() ? member.key : path + "." + member.key;
    const bool is_table = member.value.as<Node::Table>() != nullptr;
    const auto* text = member.value.as<std::string>();
    const bool says_where = text != nullptr && is_one_variable(*text);
    // What a program gets as its environment, in the settings, is hidden whatever its name.
    const bool is_secret = names_secret(member.key) || is_environment;
    if (!is_table && is_secret && !says_where) {
      hidden.push_back(at);
      gone.push_back(member.key);
    } else {
      hide(member.value, at, hidden);
    }
  }
  std::erase_if(*table, [&gone](const Member& member) {
    return std::find(gone.begin(), gone.end(), member.key) != gone.end();
  });
}

const Node* member_of(const Node::Table& table, std::string_view key) {
  for (const Member& member : table) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

// False: the place it belongs to is gone.
bool put_path(const Node& before, Node& next, std::string_view path, const Node& value) {
  auto* table = std::get_if<Node::Table>(&next.value);
  const auto* old = before.as<Node::Table>();
  if (table == nullptr || old == nullptr) return false;
  for (const Member& member : *old) {
    if (path == member.key) {
      if (member_of(*table, member.key) != nullptr) return false;
      table->push_back({member.key, {}, value});
      return true;
    }
    const bool inside = path.starts_with(member.key) && path.size() > member.key.size() &&
                        path[member.key.size()] == '.' && member.value.as<Node::Table>() != nullptr;
    if (!inside) continue;
    // A table that is gone was removed on purpose.
    for (Member& there : *table) {
      if (there.key == member.key) {
        return put_path(member.value, there.value, path.substr(member.key.size() + 1), value);
      }
    }
    return false;
  }
  return false;
}

// Whether a "***" in it takes the place of a secret: any other value there would be masked.
bool holds_mask(std::string_view text) {
  std::string with_secrets;
  std::size_t from = 0;
  for (std::size_t at = 0; (at = text.find(kMask, from)) != std::string_view::npos;
       from = at + kMask.size()) {
    with_secrets.append(text.substr(from, at - from)).append("x");
  }
  with_secrets.append(text.substr(from));
  return text == kMask || masked(with_secrets) != with_secrets;
}

// Gives strings of `next` that equal the masked form of those in `before` their values back.
void unmask(const Node* before, Node& next, const std::string& path, Kept& kept) {
  if (auto* text = std::get_if<std::string>(&next.value)) {
    const auto* was = before == nullptr ? nullptr : before->as<std::string>();
    if (was != nullptr && *text == *was) return;
    if (was != nullptr && *text == masked(*was)) {
      *text = *was;
      kept.keys.push_back(path);
    } else if (text->find(kMask) != std::string::npos && holds_mask(*text)) {
      kept.unknown.push_back(path);
    }
    return;
  }
  if (auto* array = std::get_if<Node::Array>(&next.value)) {
    const auto* old = before == nullptr ? nullptr : before->as<Node::Array>();
    for (std::size_t i = 0; i < array->size(); ++i) {
      unmask(old != nullptr && i < old->size() ? &(*old)[i] : nullptr, (*array)[i],
             fmt::format("{}.{}", path, i), kept);
    }
    return;
  }
  auto* table = std::get_if<Node::Table>(&next.value);
  if (table == nullptr) return;
  const auto* old = before == nullptr ? nullptr : before->as<Node::Table>();
  for (Member& member : *table) {
    unmask(old == nullptr ? nullptr : member_of(*old, member.key), member.value,
           path.empty() ? member.key : path + "." + member.key, kept);
  }
}

}  // namespace

bool names_secret(std::string_view key) {
  const std::string name = plain_name(key);
  const auto ends = [&name](std::string_view ending) { return name.ends_with(ending); };
  if (std::any_of(kHarmlessEndings.begin(), kHarmlessEndings.end(), ends)) return false;
  if (is_among(kHarmlessNames, name)) return false;
  return is_among(kSecretNames, name) ||
         std::any_of(kSecretParts.begin(), kSecretParts.end(), [&name](std::string_view part) {
           return name.find(part) != std::string::npos;
         });
}

std::string masked(std::string_view text) {
  if (text.find("PRIVATE KEY-----") != std::string_view::npos) return std::string(kMask);
  // A connection string begins with an assignment; an SQL statement, for one, does not.
  std::size_t equals = 0;
  if (text.find("://") != std::string_view::npos) {
    const std::string without = mask_logins(text);
    const std::size_t from = assignment_at(without, 0, equals) ? 0 : without.find("://");
    return mask_assignments(without, from, true);
  }
  if (assignment_at(text, 0, equals)) return mask_assignments(text, 0, false);
  return mask_header(text);
}

Shown without_secrets(const Node& table) {
  Shown shown{table, {}};
  hide(shown.table, "", shown.secrets);
  return shown;
}

const Node* at_path(const Node& node, std::string_view path) {
  if (path.empty()) return &node;
  if (const auto* array = node.as<Node::Array>()) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (path.substr(0, dot) != std::to_string(i)) continue;
      return at_path((*array)[i], path.substr(std::min(dot + 1, path.size())));
    }
    return nullptr;
  }
  const auto* table = node.as<Node::Table>();
  if (table == nullptr) return nullptr;
  // A key may have dots in it.
  for (const Member& member : *table) {
    if (path == member.key) return &member.value;
    if (path.starts_with(member.key) && path.size() > member.key.size() &&
        path[member.key.size()] == '.') {
      if (const Node* found = at_path(member.value, path.substr(member.key.size() + 1))) {
        return found;
      }
    }
  }
  return nullptr;
}

Kept keep_secrets(const Node& before, Node& next) {
  Kept kept;
  unmask(&before, next, "", kept);
  const auto* table = next.as<Node::Table>();
  for (const std::string& path : without_secrets(before).secrets) {
    // A password needs its user_name, and gives way to a file or a program.
    if (path == "password" && (member_of(*table, "user_name") == nullptr ||
                               member_of(*table, "password_file") != nullptr ||
                               member_of(*table, "password_command") != nullptr)) {
      continue;
    }
    // A proxy is always shown, so leaving it out means that none is wanted.
    if (path == "proxy" && member_of(*table, "proxy") == nullptr) continue;
    const Node* value = at_path(before, path);
    // Inside arrays there is no telling which element is which.
    if (value != nullptr && put_path(before, next, path, *value)) kept.keys.push_back(path);
  }
  return kept;
}

}  // namespace triggerd::config
