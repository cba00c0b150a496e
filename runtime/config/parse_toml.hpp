// TOML text -> Node. The one door to TOML++.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "config/tree.hpp"

namespace triggerd::config {

// Keys and brackets may nest this deep, counted once within a table header and once behind it.
// TOML++ and everything after it recurse, and 16 MiB of "a.a.a..." would otherwise use up any
// stack.
inline constexpr unsigned kMaxNesting = 64;

// A file of TOML is not longer than this.
inline constexpr std::size_t kMaxTomlFile = std::size_t{16} << 20;

struct SyntaxError {
  Spot spot;
  std::string message;  // quotes names of keys, and no values: a value may be a secret
};

// The root table, or the first error: there is no telling what was meant behind it.
tl::expected<Node, SyntaxError> parse_toml(std::string_view text);

}  // namespace triggerd::config
