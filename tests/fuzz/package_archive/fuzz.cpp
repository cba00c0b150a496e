// An archive that somebody hands to `package install`, and its MANIFEST alone.
#include <stdlib.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "package/entry_name.hpp"
#include "package/manifest.hpp"
#include "package/unpack.hpp"

namespace {

namespace fs = std::filesystem;

// Made once: what a run leaves outside of its own folder would be found by the next.
const fs::path& home() {
  static const fs::path made = [] {
    std::string name = (fs::temp_directory_path() / "triggerd-fuzz-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) abort();
    return fs::path(name);
  }();
  return made;
}

void expect(bool holds) {
  if (!holds) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace triggerd::package;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto entries = parse_manifest(bytes)) {
    expect(entries->size() <= kMaxEntries);
    expect(parse_manifest(manifest_text(*entries)).has_value());
  }
  const fs::path inside = home() / "inside";
  fs::create_directory(inside);
  (void)unpack_bytes(bytes, inside);
  for (const auto& entry : fs::recursive_directory_iterator(inside)) {
    const fs::file_status status = entry.symlink_status();
    expect(fs::is_regular_file(status) || fs::is_directory(status));
  }
  fs::remove_all(inside);
  expect(fs::is_empty(home()));
  return 0;
}
