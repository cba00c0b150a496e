// Which files of a package contain a secret: only their owner may read them, and whoever packs them
// is warned.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace triggerd::package {

struct SecretFile {
  std::string name;  // within the package
  std::string what;  // "a private key", "aliases.boilers.password"
};

// Judged by contents, names and the package's own TOML files: private keys and keystores, files
// that the TOML names as such, TOML with a password in it, and files that are called "password",
// "secret", "token" or the like. A TOML file that cannot be parsed counts as a secret, since its
// content is unknown. `names` are regular files below `folder`.
std::vector<SecretFile> find_secrets(const std::filesystem::path& folder,
                                     const std::vector<std::string>& names);

// The warning for whoever packed the secrets: which files they are, and who may read `archive`.
std::string warning_of(const std::vector<SecretFile>& secrets,
                       const std::filesystem::path& archive);

// Modes of files that are installed or packed: secrets, and all others.
inline constexpr mode_t kOwnerAlone = 0600;
inline constexpr mode_t kEverybody = 0644;

}  // namespace triggerd::package
