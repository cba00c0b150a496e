// Files that may hold a secret: for their owner alone (mode 0600), whatever the umask.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.hpp"

namespace triggerctl {

// Makes `path` an empty file. What was there is emptied, and its mode changed too; where it is no
// regular file, such as /dev/stdout, it is left as it is.
triggerd::Result<> make_private_file(const std::filesystem::path& path);

// Makes a file that is not there yet, with this content; after an error it is not there.
triggerd::Result<> write_private_file(const std::filesystem::path& path, std::string_view content);

}  // namespace triggerctl
