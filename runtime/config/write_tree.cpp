#include "config/write_tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/json_depth.hpp"
#include "base/text.hpp"
#include "config/parse_toml.hpp"

namespace triggerd::config {
namespace {

using Json = nlohmann::ordered_json;

bool is_bare(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

bool is_array_of_tables(const Node& node) {
  const auto* array = node.as<Node::Array>();
  return array != nullptr && !array->empty() &&
         std::all_of(array->begin(), array->end(),
                     [](const Node& element) { return element.as<Node::Table>() != nullptr; });
}

std::string inline_text(const Node& node) {
  if (const auto* text = node.as<std::string>()) return in_quotes(*text);
  if (const auto* integer = node.as<std::int64_t>()) return fmt::format("{}", *integer);
  if (const auto* floating = node.as<double>()) return float_text(*floating);
  if (const auto* boolean = node.as<bool>()) return *boolean ? "true" : "false";
  if (const auto* date = node.as<Date>()) return date->text;
  std::string out;
  if (const auto* array = node.as<Node::Array>()) {
    for (const Node& element : *array) out += (out.empty() ? "" : ", ") + inline_text(element);
    return "[" + out + "]";
  }
  for (const Member& member : *node.as<Node::Table>()) {
    out += fmt::format("{}{} = {}", out.empty() ? "" : ", ", toml_key(member.key),
                       inline_text(member.value));
  }
  return out.empty() ? "{}" : "{ " + out + " }";
}

// Writes tables under headers of their own down to `depth` levels, which read well; deeper ones are
// written inline.
void write_table(const Node::Table& table, const std::string& path, unsigned depth,
                 std::string& out) {
  const auto has_header = [&](const Node& node) {
    return (depth > 0 && node.as<Node::Table>() != nullptr) ||
           (path.empty() && is_array_of_tables(node));
  };
  for (const Member& member : table) {
    if (has_header(member.value)) continue;
    out += fmt::format("{} = {}\n", toml_key(member.key), inline_text(member.value));
  }
  for (const Member& member : table) {
    if (!has_header(member.value)) continue;
    const std::string name =
        path.empty() ? toml_key(member.key) : path + "." + toml_key(member.key);
    if (const auto* inner = member.value.as<Node::Table>()) {
      const bool only_headers =
          !inner->empty() && std::all_of(inner->begin(), inner->end(), [&](const Member& m) {
            return depth > 1 && m.value.as<Node::Table>() != nullptr;
          });
      if (!only_headers) out += fmt::format("{}[{}]\n", out.empty() ? "" : "\n", name);
      write_table(*inner, name, depth - 1, out);
    } else {
      for (const Node& element : *member.value.as<Node::Array>()) {
        out += fmt::format("{}[[{}]]\n", out.empty() ? "" : "\n", name);
        write_table(*element.as<Node::Table>(), name, 1, out);
      }
    }
  }
}

Json json_of(const Node& node) {
  if (const auto* text = node.as<std::string>()) return *text;
  if (const auto* integer = node.as<std::int64_t>()) return *integer;
  if (const auto* floating = node.as<double>()) return *floating;
  if (const auto* boolean = node.as<bool>()) return *boolean;
  if (const auto* date = node.as<Date>()) return date->text;
  if (const auto* array = node.as<Node::Array>()) {
    Json out = Json::array();
    for (const Node& element : *array) out.push_back(json_of(element));
    return out;
  }
  Json out = Json::object();
  for (const Member& member : *node.as<Node::Table>()) out[member.key] = json_of(member.value);
  return out;
}

Result<Node> node_of(const Json& json, unsigned depth) {
  if (depth > kMaxNesting) return fail("it is nested deeper than {} levels", kMaxNesting);
  Node node;
  if (json.is_string()) {
    node.value = json.get<std::string>();
  } else if (json.is_boolean()) {
    node.value = json.get<bool>();
  } else if (json.is_number_unsigned()) {
    const auto value = json.get<std::uint64_t>();
    if (value > static_cast<std::uint64_t>(INT64_MAX))
      return fail("the number {} is too large", value);
    node.value = static_cast<std::int64_t>(value);
  } else if (json.is_number_integer()) {
    node.value = json.get<std::int64_t>();
  } else if (json.is_number_float()) {
    node.value = json.get<double>();
  } else if (json.is_array()) {
    Node::Array array;
    for (const Json& element : json) {
      if (element.is_null()) return fail("an element of an array is null");
      auto made = node_of(element, depth + 1);
      if (!made) return made;
      array.push_back(*std::move(made));
    }
    node.value = std::move(array);
  } else {
    Node::Table table;
    for (const auto& [key, value] : json.items()) {
      if (value.is_null()) continue;
      auto made = node_of(value, depth + 1);
      if (!made) return made;
      table.push_back({key, {}, *std::move(made)});
    }
    node.value = std::move(table);
  }
  return node;
}

}  // namespace

std::string toml_key(std::string_view key) {
  return is_bare(key) ? std::string(key) : in_quotes(key);
}

std::string to_toml(const Node& root) {
  std::string out;
  write_table(*root.as<Node::Table>(), "", 3, out);
  return out;
}

std::string to_json(const Node& table) {
  return json_of(table).dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Node> parse_json_table(std::string_view text) {
  if (json_is_deeper_than(text, kMaxNesting)) {
    return fail("it is nested deeper than {} levels", kMaxNesting);
  }
  try {
    const Json json = Json::parse(text);
    if (!json.is_object()) return fail("it must be a JSON object of keys and values");
    return node_of(json, 0);
  } catch (const Json::parse_error& error) {
    return fail("it is not valid JSON, at byte {}", error.byte);
  } catch (const std::exception&) {
    return fail("it is not valid JSON");
  }
}

}  // namespace triggerd::config
