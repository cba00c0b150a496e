// TOML text -> Node. The only part that uses TOML++.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "config/tree.hpp"

namespace triggerd::config {

// Keys and brackets may nest this deep, counted separately within a table header and after it.
// TOML++ and all code that walks the tree recurse: without a limit, 16 MiB of "a.a.a..." would
// overflow any stack.
inline constexpr unsigned kMaxNesting = 64;

// The largest TOML file that is read.
inline constexpr std::size_t kMaxTomlFile = std::size_t{16} << 20;

struct SyntaxError {
  Spot spot;
  std::string message;  // quotes keys, and never values, which may be secret
};

// The root table, or the first error: what follows it cannot be interpreted.
tl::expected<Node, SyntaxError> parse_toml(std::string_view text);

}  // namespace triggerd::config
