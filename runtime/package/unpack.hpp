// One archive -> a folder, if the archive matches its MANIFEST to the byte.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.hpp"

namespace triggerd::package {

// Unpacks `archive` into `folder`, which exists, is empty, and is written to by nobody else.
// Refuses anything but a tar archive, plain or compressed once with zstd or gzip; a first file that
// is not MANIFEST; files that MANIFEST does not list, or lists with another size or digest; missing
// files; links, folders, devices and anything else that is not a regular file; and what
// check_entry_name() and the limits beside it refuse. After an error the folder contains some of
// the files. When it returns, all files and folders are on disk, and only their owner may read
// secrets (see find_secrets()), whatever the umask.
Result<> unpack(const std::filesystem::path& archive, const std::filesystem::path& folder);

// The same for an archive in memory.
Result<> unpack_bytes(std::string_view archive, const std::filesystem::path& folder);

}  // namespace triggerd::package
