#include "config/expand.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <map>

#include "base/text.hpp"

namespace triggerd::config {
namespace {

constexpr std::size_t kMaxExpanded = std::size_t{1} << 20;

bool is_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

bool is_variable_name(std::string_view name) {
  return !name.empty() && is_letter(name[0]) && std::all_of(name.begin(), name.end(), [](char c) {
    return is_letter(c) || (c >= '0' && c <= '9');
  });
}

// `inside` is the text between "${" and "}".
Result<std::string> value_of(std::string_view inside, const Environment& environment) {
  const std::size_t separator = inside.find(":-");
  const bool has_default = separator != std::string_view::npos;
  const std::string name(inside.substr(0, separator));
  if (!is_variable_name(name)) {
    return fail(
        "\"${{\" begins a variable, written ${{NAME}} or ${{NAME:-default}}; write $${{ for "
        "a plain \"${{\"");
  }
  std::optional<std::string> value = environment(name);
  if (has_default && (!value || value->empty())) return std::string(inside.substr(separator + 2));
  if (!value) {
    return fail("environment variable {} is not set; set it, or write ${{{}:-default}}", name,
                name);
  }
  if (!is_utf8(*value)) return fail("environment variable {} is not UTF-8 text", name);
  return *std::move(value);
}

}  // namespace

Environment process_environment() {
  // A copy: getenv() is not safe beside a setenv() on another thread.
  std::map<std::string, std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

Result<std::string> expand(std::string_view text, const Environment& environment) {
  std::string out;
  for (;;) {
    const std::size_t open = text.find("${");
    if (open == std::string_view::npos) break;
    if (open > 0 && text[open - 1] == '$') {
      out.append(text.substr(0, open - 1)).append("${");
      text.remove_prefix(open + 2);
      continue;
    }
    out.append(text.substr(0, open));
    text.remove_prefix(open + 2);
    const std::size_t close = text.find('}');
    if (close == std::string_view::npos) {
      return fail("\"${{\" has no closing \"}}\"; write $${{ for a plain \"${{\"");
    }
    auto value = value_of(text.substr(0, close), environment);
    if (!value) return value;
    out += *value;
    if (out.size() > kMaxExpanded) return fail("longer than 1MiB once its variables are expanded");
    text.remove_prefix(close + 1);
  }
  out.append(text);
  return out;
}

}  // namespace triggerd::config
