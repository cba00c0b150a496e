// One archive -> a folder, where the archive is what its MANIFEST says, to the byte.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.hpp"

namespace triggerd::package {

// Unpacks `archive` into `folder`, which is there and empty and which nobody else writes to.
// Refused are: anything but a tar archive, plain or compressed once with zstd or gzip; a first file
// that is no MANIFEST; a file that it does not name, names with another size or digest, or that is
// missing; links, folders, devices and all else that is no regular file; and what
// check_entry_name() and the limits beside it refuse. After an error the folder holds some of the
// files. When it returns, all files and folders are on the disk; secrets are for their owner alone
// (see find_secrets()), whatever the umask.
Result<> unpack(const std::filesystem::path& archive, const std::filesystem::path& folder);

// The same of an archive in memory.
Result<> unpack_bytes(std::string_view archive, const std::filesystem::path& folder);

}  // namespace triggerd::package
