// Which files a package may contain. The same rules apply when it is packed and when it is
// unpacked, so what one machine packs, every other machine unpacks to the same files.
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

// Components of letters, digits, "_", ".", "-", "+" and "@", joined by "/", none of which begins
// with "." or "-"; at most 200 bytes and 16 components. So no name is absolute, has a "..", is
// hidden, or means different files on different file systems. MANIFEST and local.toml are reserved.
Result<> check_entry_name(std::string_view name);

// The names in one package: they are unique even if case is ignored, and no file is also a folder.
class EntryNames {
 public:
  Result<> add(std::string_view name);

 private:
  // As it was first written, and whether it is a file; keyed by its lower-case form.
  struct Seen {
    std::string name;
    bool file;
  };
  std::map<std::string, Seen> seen_;
};

}  // namespace triggerd::package
