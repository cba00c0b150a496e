// A folder -> one archive.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/result.hpp"
#include "package/secrets.hpp"

namespace triggerd::package {

struct Packed {
  std::size_t files = 0;
  std::uint64_t bytes = 0;  // of the files
  std::vector<SecretFile> secrets;
};

// Writes the regular files of `folder` to `archive`, whose name ends in .tar.zst or .tar.gz. Hidden
// files, and local.toml, stay out. The same files make the same bytes with the same library: names
// are sorted, owners are 0, times are 1970, modes say which files are secrets. What was at
// `archive` is replaced once all is written; with a secret in it, it is for its owner alone.
Result<Packed> pack(const std::filesystem::path& folder, const std::filesystem::path& archive);

}  // namespace triggerd::package
