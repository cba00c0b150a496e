// local.toml: what is different on this machine in the aliases of a package.
//
//   [aliases.plant]
//   host = "tcp://broker.example:1883"
//
// These keys of an alias may be there. Each takes the place of the package's own value, or is added
// to it.
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

// As they are written: variables are not expanded yet.
struct LocalAlias {
  Spot spot;
  std::map<std::string, std::string, std::less<>> values;  // by key
};
using LocalValues = std::map<std::string, LocalAlias, std::less<>>;  // by alias

// `root` is the root table of `file`. What is wrong in it is with the file's diagnostics.
LocalValues read_local_values(const SourceFile& file, const Node& root);

// Puts them into `root`, the root table of the package's triggers.toml, each at the place of what
// it replaces. An alias that is not there is reported in `file`, which the values came from.
void apply_local_values(const SourceFile& file, const LocalValues& local, Node& root);

// What takes the place of what: a host that of hosts, a password that of password_file, a proxy
// that of proxy_password_file.
std::string_view excluded_by(std::string_view key);

}  // namespace triggerd::config
