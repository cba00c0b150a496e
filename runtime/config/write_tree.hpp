// Trees back to text: TOML that people read, and JSON. parse_toml.hpp is the way in.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "config/tree.hpp"

namespace triggerd::config {

// A key in a file or a header, in quotes if it needs them.
std::string toml_key(std::string_view key);
// The whole root table as a TOML file. Parsing the result gives the same tree again; comments and
// layout are not kept.
std::string to_toml(const Node& root);
// As one JSON object. Dates become strings; infinity and NaN, which JSON does not have, become
// null.
std::string to_json(const Node& table);
// A JSON object to a table, in the order of its keys. A null is left out: it means that the key is
// absent. The error says at which byte the JSON is invalid.
Result<Node> parse_json_table(std::string_view text);

}  // namespace triggerd::config
