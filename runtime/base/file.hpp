// Files: descriptors, identity, bounded reading, atomic replacement. [any]
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"

namespace triggerd {

// A file descriptor that closes itself.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~UniqueFd() { reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset();

 private:
  int fd_ = -1;
};

// The text of errno, safe on any thread.
std::string errno_text(int error);

// Identifies a file, whatever its name.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};
// Follows links. nullopt: there is no file, or its status cannot be read.
std::optional<FileIdentity> identity_of_file(const std::filesystem::path& path);

// A text that stays the same as long as the file does, made of its identity, size and times without
// reading it. Follows links; "-" if there is no file.
std::string fingerprint_of_file(const std::filesystem::path& path);

// Writes all of `bytes` to `fd`. `path` is for the error.
Result<> write_all(int fd, std::string_view bytes, const std::filesystem::path& path);

// Brings the content of a file, or the list of names of a folder, to the disk. `path` is for the
// error.
Result<> sync_to_disk(int fd, const std::filesystem::path& path);
Result<> sync_folder(const std::filesystem::path& folder);

// How a file is replaced.
struct Replacement {
  // Whether the new file is on the disk under its name when the call returns, so that a power cut
  // cannot undo it.
  bool to_disk = false;
  // Called with the descriptor of the new file before it gets its name; an error ends the
  // replacement. May be empty.
  std::function<Result<>(int fd)> prepare{};
};
// Replaces the file `path`, or creates it, with a new one that has `bytes`. Whoever reads the name
// finds the old file or the whole new one, even if the process is killed. Only its owner can read
// the new file (mode 0600), whatever the umask and whatever was left under the name PATH.new, which
// it has at first. Returns its descriptor, for appending.
Result<UniqueFd> replace_private_file(const std::filesystem::path& path, std::string_view bytes,
                                      const Replacement& how = {});
// Reads a whole regular file of at most `limit` bytes.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit);

}  // namespace triggerd
