// Which files a package may hold. The same rules when it is packed and when it is unpacked:
// whatever one machine packs every other one unpacks to the same files.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace triggerd::package {

inline constexpr const char* kManifestFile = "MANIFEST";
inline constexpr const char* kLocalFile = "local.toml";
inline constexpr std::size_t kMaxEntries = 4096;
inline constexpr std::uint64_t kMaxEntrySize = 256ULL << 20;
inline constexpr std::uint64_t kMaxTotalSize = 1ULL << 30;

// Parts of letters, digits, "_", ".", "-", "+" and "@", joined by "/", none of which begins with
// "." or "-"; at most 200 bytes and 16 parts. So there is no absolute name, no "..", nothing
// hidden, and nothing that two file systems read in two ways. MANIFEST and local.toml are not for
// packages.
Result<> check_entry_name(std::string_view name);

// The names of one package: no two that are equal, or differ only in case, and no file that is also
// a folder.
class EntryNames {
 public:
  Result<> add(std::string_view name);

 private:
  // As it was first written and whether it is a file, by its lower-case form.
  struct Seen {
    std::string name;
    bool file;
  };
  std::map<std::string, Seen> seen_;
};

}  // namespace triggerd::package
