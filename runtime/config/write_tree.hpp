// Turns trees into TOML that people read and into JSON, and JSON into a tree. parse_toml.hpp turns
// TOML into a tree.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "config/tree.hpp"

namespace triggerd::config {

// A key as TOML writes it, in quotes if it needs them.
std::string toml_key(std::string_view key);
// The whole root table as a TOML file. Parsing the result gives the same tree again; comments and
// layout are not kept.
std::string to_toml(const Node& root);
// The table as one JSON object. Dates become strings; infinity and NaN, which JSON does not have,
// become null.
std::string to_json(const Node& table);
// Parses a JSON object into a table, in the order of its keys. A key whose value is null is left
// out, as if it were absent. The error says at which byte the JSON is invalid.
Result<Node> parse_json_table(std::string_view text);

}  // namespace triggerd::config
