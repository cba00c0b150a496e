// How deep a TOML text nests, found without recursion and before it is parsed.
#pragma once

#include <optional>
#include <string_view>

#include "config/tree.hpp"

namespace triggerd::config {

// Where dotted keys and brackets first nest deeper than `limit`. If the text is not valid TOML, the
// answer holds up to the first error.
std::optional<Spot> find_deep_nesting(std::string_view toml, unsigned limit);

}  // namespace triggerd::config
