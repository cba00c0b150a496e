// Files that hold a password, as containers mount them.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.hpp"

namespace triggerd::config {

// Its content without the newline at its end, if any. Errors contain the path and never the
// content.
Result<std::string> read_password_file(const std::filesystem::path& path);
// The same for a token that callers send in a header.
Result<std::string> read_token_file(const std::filesystem::path& path);

}  // namespace triggerd::config
