// A folder -> one archive.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/result.hpp"

namespace triggerd::package {

struct Packed {
  std::size_t files = 0;
  std::uint64_t bytes = 0;  // of the files
};

// Writes the regular files of `folder` to `archive`, whose name ends in .tar.zst or .tar.gz. Hidden
// files, and local.toml, stay out. The same files make the same bytes with the same library: names
// are sorted, owners are 0, times are 1970. What was at `archive` is replaced once all is written.
Result<Packed> pack(const std::filesystem::path& folder, const std::filesystem::path& archive);

}  // namespace triggerd::package
