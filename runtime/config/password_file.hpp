// Files that hold a password, as containers mount them.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.hpp"

namespace triggerd::config {

// The content of the file, without the newline at its end, if any. An empty file is an error.
// Errors contain the path but never the content.
Result<std::string> read_password_file(const std::filesystem::path& path);
// The same for a token that callers send in a header: 16 to 4096 characters of printable ASCII,
// without spaces.
Result<std::string> read_token_file(const std::filesystem::path& path);

}  // namespace triggerd::config
