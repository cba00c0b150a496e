// How deeply a TOML text nests: found without recursion, before the text is parsed.
#pragma once

#include <optional>
#include <string_view>

#include "config/tree.hpp"

namespace triggerd::config {

// Where dotted keys and brackets first nest deeper than `limit`; nullopt: nowhere. If the text is
// not valid TOML, the answer is right only up to the first error.
std::optional<Spot> find_deep_nesting(std::string_view toml, unsigned limit);

}  // namespace triggerd::config
