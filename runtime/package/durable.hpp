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

// If root runs a command, what it creates in a folder is given to the owner of the folder, since a
// runtime that does not run as root has to read it. If another user runs it, these do nothing.
//
// `fd` is a file or folder that this process has just created. `tree` is a folder that it has
// created, with everything in it.
Result<> give_to_owner_of(const std::filesystem::path& folder, int fd);
Result<> give_tree_to_owner_of(const std::filesystem::path& folder,
                               const std::filesystem::path& tree);
// Works whatever umask a plugin has set. Does not follow a link, which the owner of the parent
// folder may have put there.
Result<> set_folder_mode(const std::filesystem::path& path, mode_t mode);
// Creates one folder, and gives it to the owner of its parent as above. False: it exists already.
Result<bool> make_folder(const std::filesystem::path& path, mode_t mode);

// Replaces a private file as replace_private_file() does, and syncs it to the disk. The folder must
// exist; a file that root writes is given to the owner of the folder.
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

// Held while packages or their state are changed, by one process at a time. Released with this
// object, or when the process ends.
class FolderLock {
 public:
  // Creates the folder if it is missing. Does not wait: fails if the lock is held already.
  static Result<FolderLock> take(const std::filesystem::path& folder);

 private:
  explicit FolderLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace triggerd::package
