// Trees back to text: TOML that people read, and JSON. parse_toml.hpp is the way in.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "config/tree.hpp"

namespace triggerd::config {

// A key in a file or a header: in quotes where it has to be.
std::string toml_key(std::string_view key);
// The whole root table as a TOML file. What was parsed and is written says the same when it is
// parsed again; comments and the look of it are not kept.
std::string to_toml(const Node& root);
// As one JSON object. Dates become strings; infinity and NaN, which JSON has not, null.
std::string to_json(const Node& table);
// A JSON object to a table, in the order of its keys. Null is left out: it is how one says that a
// key is not there. The error says at which byte it is no JSON.
Result<Node> parse_json_table(std::string_view text);

}  // namespace triggerd::config
