// The folder of the inbox, which somebody may take away or replace while it is in use.
//
// The inbox's lock guards it.
#pragma once

#include <filesystem>
#include <optional>

#include "base/file.hpp"
#include "base/result.hpp"
#include "base/state_dir.hpp"

namespace triggerd::inbox {

class Folder {
 public:
  // The one that has the name now is the inbox's.
  explicit Folder(std::filesystem::path path)
      : path_(std::move(path)), identity_(identity_of_file(path_).value_or(FileIdentity{})) {}

  // Sees to it that the folder is there and nobody else's: one that is gone is made again, and one
  // that has taken its place is used unless somebody else uses it, or it is on another file system.
  Result<> keep();

 private:
  const std::filesystem::path path_;
  FileIdentity identity_;
  std::optional<StateDir> claimed_;  // the lock of a folder that has replaced the owner's
};

}  // namespace triggerd::inbox
