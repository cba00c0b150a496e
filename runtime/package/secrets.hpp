// Which files of a package hold a secret: they are for the owner alone, and whoever packs them is
// told.
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

// As far as contents, names and the package's own TOML files tell: private keys and keystores,
// files that the TOML names as such, TOML with a password in it, and files that are called
// "password", "secret", "token" or alike. A TOML file that cannot be read is one: nobody knows what
// is in it. `names` are regular files below `folder`.
std::vector<SecretFile> find_secrets(const std::filesystem::path& folder,
                                     const std::vector<std::string>& names);

// What whoever has packed them is told: which files, and who may read `archive` now.
std::string warning_of(const std::vector<SecretFile>& secrets,
                       const std::filesystem::path& archive);

// Modes of what is installed and packed.
inline constexpr mode_t kOwnerAlone = 0600;
inline constexpr mode_t kEverybody = 0644;

}  // namespace triggerd::package
