// The folder of the inbox, which may be replaced while it is in use.
#pragma once

#include <filesystem>
#include <optional>

#include "base/file.hpp"
#include "base/state_dir.hpp"
#include "inbox/inbox.hpp"

namespace triggerd::inbox {

struct Inbox::Folder {
  std::filesystem::path path;
  FileIdentity identity{};
  std::optional<StateDir> claimed{};  // another one than the owner of this inbox has locked
};

}  // namespace triggerd::inbox
