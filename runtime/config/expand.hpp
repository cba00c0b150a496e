// ${NAME} and ${NAME:-default} in strings.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "config/load.hpp"

namespace triggerd::config {

// ${NAME} is the variable's value, and an error if it is not set; ${NAME:-default} is the default
// if the variable is not set or empty; $${ is a plain "${". A variable's value is not expanded
// again. Errors name the variable and quote nothing else: the text may be a secret.
Result<std::string> expand(std::string_view text, const Environment& environment);

}  // namespace triggerd::config
