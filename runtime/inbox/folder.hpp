// The folder of the inbox, which somebody may replace while it is in use. The inbox's lock guards
// it.
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
  std::optional<StateDir> claimed{};  // the lock of a folder that has replaced the owner's
};

}  // namespace triggerd::inbox
