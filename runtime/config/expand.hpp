// ${NAME} and ${NAME:-default} in strings.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace triggerd::config {

// Looks up an environment variable; tests pass their own.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

// ${NAME} is the variable's value, and an error if it is not set; ${NAME:-default} is the default
// if the variable is not set or empty; $${ is a plain "${". A variable's value is not expanded
// again. Errors name the variable and quote nothing else: the text may be a secret.
Result<std::string> expand(std::string_view text, const Environment& environment);

}  // namespace triggerd::config
