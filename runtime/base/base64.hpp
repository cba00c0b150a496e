// Base64 (RFC 4648, section 4), with padding. Plugins use it too, so it is C++17 and includes no
// other header of runtime/. [any]
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace triggerd {

std::string base64(std::string_view bytes);
// nullopt: `text` is not base64.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace triggerd
