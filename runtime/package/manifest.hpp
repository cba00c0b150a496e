// MANIFEST: the first file in a package's archive, which lists everything else that must be there.
//
//   triggerd package 1
//   2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 5 package.toml
//
// One line for each file: SHA-256, size in bytes, name; sorted by name.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

typedef struct evp_md_ctx_st EVP_MD_CTX;

namespace triggerd::package {

inline constexpr std::size_t kMaxManifest = std::size_t{2} << 20;

struct ManifestEntry {
  std::string sha256;  // 64 lower-case hexadecimal digits
  std::uint64_t size = 0;
  std::string name;
};

std::string manifest_text(const std::vector<ManifestEntry>& entries);
// Refuses names, sizes and numbers of files that a package must not have, and lines that are not
// sorted by name.
Result<std::vector<ManifestEntry>> parse_manifest(std::string_view text);

// Computes a SHA-256 piece by piece.
class Digest {
 public:
  Digest();
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;
  void add(std::string_view bytes);
  // Call it once, at the end. Empty, which is no valid digest, if the library has no SHA-256.
  std::string hex();

 private:
  EVP_MD_CTX* const context_;
  bool good_;
};

}  // namespace triggerd::package
