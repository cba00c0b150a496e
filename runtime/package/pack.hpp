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
  std::uint64_t bytes = 0;  // total size of the files
  std::vector<SecretFile> secrets;
};

// Writes the regular files of `folder` to `archive`, whose name ends in .tar.zst or .tar.gz. Hidden
// files and local.toml are left out. The same files give the same bytes with the same library:
// names are sorted, owners are 0, times are 1970, modes say which files are secrets. `archive` is
// replaced once everything is written. If it contains a secret, only its owner may read it.
Result<Packed> pack(const std::filesystem::path& folder, const std::filesystem::path& archive);

}  // namespace triggerd::package
