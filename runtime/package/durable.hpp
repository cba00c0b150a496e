// Files and folders that are there after a power cut, whole.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string_view>

#include "base/file.hpp"
#include "base/result.hpp"

namespace triggerd::package {

// Each file of TOML that this folder reads is at most this long.
inline constexpr std::size_t kMaxFile = std::size_t{1} << 20;

// Run by root, a command works for whoever owns the folder: what is put into it is theirs, as a
// runtime that is not root has to read it. Else nothing is done.
//
// `fd` is a file or folder that this process has just made; `tree` a folder that it has made, with
// all that is in it.
Result<> give_to_owner_of(const std::filesystem::path& folder, int fd);
Result<> give_tree_to_owner_of(const std::filesystem::path& folder,
                               const std::filesystem::path& tree);
// Whatever umask a plugin has set. Not through a link: whoever owns the folder that it is in may
// have put one in its place.
Result<> set_folder_mode(const std::filesystem::path& path, mode_t mode);
// Makes one folder, which is the owner's of its parent as above. False: it is there already.
Result<bool> make_folder(const std::filesystem::path& path, mode_t mode);

// Replaces a private file as replace_private_file() does, on the disk. The folder exists; where
// root writes, the file is given to the folder's owner.
Result<> write_file(const std::filesystem::path& path, std::string_view content);

// A folder that nobody sees (its name begins with a dot) on the file system of its parent, gone
// with this object. What an earlier process has left of such is removed by remove_leftovers().
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

// Held by whoever changes packages or their state, one process at a time. Ends with the process.
class FolderLock {
 public:
  // Makes the folder where it is missing.
  static Result<FolderLock> take(const std::filesystem::path& folder);

 private:
  explicit FolderLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace triggerd::package
