// local.toml: this machine's values for the aliases of a package.
//
//   [aliases.plant]
//   host = "tcp://broker.example:1883"
//
// Only the keys below are allowed. Each replaces the package's own value, or adds one.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>

#include "config/diagnostics.hpp"
#include "config/tree.hpp"

namespace triggerd::config {

inline constexpr std::array<std::string_view, 7> kLocalKeys{
    "host", "client_id", "user_name", "password", "password_file", "proxy", "proxy_password_file"};

// The values for one alias, as written: variables are not expanded yet.
struct LocalAlias {
  Spot spot;
  std::map<std::string, std::string, std::less<>> values;  // by key
};
using LocalValues = std::map<std::string, LocalAlias, std::less<>>;  // by alias

// `root` is the root table of `file`. Errors go to the file's diagnostics.
LocalValues read_local_values(const SourceFile& file, const Node& root);

// Puts the values into `root`, the root table of the package's triggers.toml. Each gets the place
// of the value it replaces. An alias that does not exist is reported in `file`, the file from which
// the values were read.
void apply_local_values(const SourceFile& file, const LocalValues& local, Node& root);

// The other key that setting `key` removes: host removes hosts; password and password_file remove
// each other; proxy removes proxy_password_file. Empty if there is none.
std::string_view excluded_by(std::string_view key);

}  // namespace triggerd::config
