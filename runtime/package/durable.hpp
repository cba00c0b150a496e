// Files and folders that are complete even after a power cut.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string_view>

#include "base/file.hpp"
#include "base/result.hpp"

namespace triggerd::package {

// The largest TOML file that package/ reads.
inline constexpr std::size_t kMaxFile = std::size_t{1} << 20;

// A command that root runs works for the owner of the folder: what it puts there becomes theirs,
// since a runtime that is not root has to read it. Otherwise these do nothing.
//
// `fd` is a file or folder that this process has just created; `tree` a folder that it has created,
// with everything in it.
Result<> give_to_owner_of(const std::filesystem::path& folder, int fd);
Result<> give_tree_to_owner_of(const std::filesystem::path& folder,
                               const std::filesystem::path& tree);
// Works whatever umask a plugin has set. Does not follow a link: the owner of the parent folder may
// have put one there.
Result<> set_folder_mode(const std::filesystem::path& path, mode_t mode);
// Creates one folder, which gets the owner of its parent as above. False: it exists already.
Result<bool> make_folder(const std::filesystem::path& path, mode_t mode);

// Replaces a private file as replace_private_file() does, on the disk. The folder must exist; a
// file that root writes gets the owner of the folder.
Result<> write_file(const std::filesystem::path& path, std::string_view content);

// A temporary folder in `parent`, and so on its file system, hidden (its name begins with a dot)
// and removed with this object. remove_leftovers() removes those that earlier processes left
// behind.
class Staging {
 public:
  static Result<Staging> make(const std::filesystem::path& parent);
  static void remove_leftovers(const std::filesystem::path& parent);
  Staging(Staging&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Staging& operator=(Staging&&) = delete;
  ~Staging();
  const std::filesystem::path& path() const { return path_; }

 private:
  explicit Staging(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

// Held by whoever changes packages or their state, one process at a time. Released when the process
// ends.
class FolderLock {
 public:
  // Creates the folder if it is missing.
  static Result<FolderLock> take(const std::filesystem::path& folder);

 private:
  explicit FolderLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace triggerd::package
