// Files that may contain a secret: only their owner may read them (mode 0600), whatever the umask.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.hpp"

namespace triggerctl {

// Makes `path` an empty file. An existing file is emptied, and its mode changed too; if it is not a
// regular file, such as /dev/stdout, it is left as it is.
triggerd::Result<> make_private_file(const std::filesystem::path& path);

// Creates a new file with this content; after an error it does not exist.
triggerd::Result<> write_private_file(const std::filesystem::path& path, std::string_view content);

}  // namespace triggerctl
