// Bounded file access.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
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

// Which file it is, whatever its name.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};
// Through links; nullopt: there is none, or it cannot be looked at.
std::optional<FileIdentity> identity_of_file(const std::filesystem::path& path);

// Which file it is, through links, and when it was written, without reading it: equal as long as
// nothing has changed.
std::string look_of_file(const std::filesystem::path& path);

// Writes all of `bytes` to `fd`; `path` is what the error calls it.
Result<> write_all(int fd, std::string_view bytes, const std::filesystem::path& path);

// Puts a new file with `bytes` in the place of `path`, which is there whole or as before; for its
// owner alone, whatever the umask and whatever was left beside it. It is not brought to the disk.
// The descriptor of the new file, to be appended to.
Result<UniqueFd> replace_private_file(const std::filesystem::path& path, std::string_view bytes);
// Reads a regular file of at most `limit` bytes, whole.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit);

}  // namespace triggerd
