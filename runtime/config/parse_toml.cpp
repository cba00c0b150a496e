#include "config/parse_toml.hpp"

#include <fmt/core.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include "base/text.hpp"
#include "config/nesting.hpp"

namespace triggerd::config {
namespace {

Spot spot_of(const toml::source_region& region) {
  return {region.begin.line, region.begin.column};
}

bool before(const Member& a, const Member& b) {
  return std::pair(a.key_spot.line, a.key_spot.column) <
         std::pair(b.key_spot.line, b.key_spot.column);
}

template <class T>
Date date_of(const toml::value<T>& value) {
  std::ostringstream text;
  text << value.get();
  return {text.str()};
}

// The recursion is bounded: find_deep_nesting() has checked the text.
Node convert(const toml::node& from) {
  Node to;
  to.spot = spot_of(from.source());
  if (const toml::table* table = from.as_table()) {
    Node::Table members;
    members.reserve(table->size());
    for (const auto& [key, value] : *table) {
      members.push_back({std::string(key.str()), spot_of(key.source()), convert(value)});
    }
    // TOML++ sorts by name.
    std::sort(members.begin(), members.end(), before);
    to.value = std::move(members);
  } else if (const toml::array* array = from.as_array()) {
    Node::Array elements;
    elements.reserve(array->size());
    for (const toml::node& element : *array) elements.push_back(convert(element));
    to.value = std::move(elements);
  } else if (const auto* text = from.as_string()) {
    to.value = text->get();
  } else if (const auto* integer = from.as_integer()) {
    to.value = integer->get();
  } else if (const auto* floating = from.as_floating_point()) {
    to.value = floating->get();
  } else if (const auto* boolean = from.as_boolean()) {
    to.value = boolean->get();
  } else if (const auto* date = from.as_date()) {
    to.value = date_of(*date);
  } else if (const auto* time = from.as_time()) {
    to.value = date_of(*time);
  } else if (const auto* date_time = from.as_date_time()) {
    to.value = date_of(*date_time);
  }
  return to;
}

// Whether TOML++ gave up between values, by its own name for what it was reading.
bool is_outside_values(std::string_view scope) {
  constexpr std::array<std::string_view, 8> kScopes{
      "",    "root table", "table header", "key-value pair",
      "key", "array",      "inline table", "comment"};
  return std::find(kScopes.begin(), kScopes.end(), scope) != kScopes.end();
}

// TOML++ quotes what it could not read. Outside of values that is a key or a single character; a
// value may be a secret, so none of it is kept.
std::string without_value(std::string_view reason) {
  if (!reason.starts_with('\'')) return std::string(reason.substr(0, reason.find(", saw ")));
  return fmt::format("the number{}", reason.substr(reason.rfind('\'') + 1));
}

std::string_view advice(std::string_view scope, std::string_view reason) {
  if (reason.starts_with("cannot redefine")) return "; write each key and each table once";
  if (scope == "string") {
    const bool is_open = reason.starts_with("unescaped control characters") ||
                         reason.starts_with("encountered end-of-file");
    return is_open ? "; is a closing quote missing?" : "";
  }
  return is_outside_values(scope) ? "" : "; write text in quotes";
}

// "Error while parsing SCOPE: REASON", or only a reason.
std::string describe(std::string_view description) {
  constexpr std::string_view kPrefix = "Error while parsing ";
  std::string_view scope;
  std::string_view reason = description;
  const std::size_t colon = description.find(": ");
  if (description.starts_with(kPrefix) && colon != std::string_view::npos) {
    scope = description.substr(kPrefix.size(), colon - kPrefix.size());
    reason = description.substr(colon + 2);
  }
  return fmt::format(
      "not valid TOML{}: {}{}", scope.empty() ? "" : fmt::format(" ({})", scope),
      printable(is_outside_values(scope) ? std::string(reason) : without_value(reason)),
      advice(scope, reason));
}

}  // namespace

tl::expected<Node, SyntaxError> parse_toml(std::string_view text) {
  if (const auto deep = find_deep_nesting(text, kMaxNesting)) {
    return tl::make_unexpected(SyntaxError{
        *deep, fmt::format("nested deeper than {} levels; write it flatter", kMaxNesting)});
  }
  try {
    return convert(toml::parse(text));
  } catch (const toml::parse_error& error) {
    return tl::make_unexpected(SyntaxError{spot_of(error.source()), describe(error.description())});
  }
}

}  // namespace triggerd::config
