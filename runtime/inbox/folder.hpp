// The folder of the inbox, which may be replaced while it is in use.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <optional>

#include "base/state_dir.hpp"
#include "inbox/inbox.hpp"

namespace triggerd::inbox {

struct Inbox::Folder {
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
  };
  static std::optional<Identity> look(const std::filesystem::path& path) {
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0) return std::nullopt;
    return Identity{found.st_dev, found.st_ino};
  }

  std::filesystem::path path;
  Identity identity{};
  std::optional<StateDir> claimed{};  // another one than the owner of this inbox has locked
};

}  // namespace triggerd::inbox
