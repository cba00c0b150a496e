// The administrator's socket file: only its owner can use it, and it never replaces a file that
// belongs to somebody else.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "base/file.hpp"
#include "base/result.hpp"

namespace triggerd::admin {

// A listening Unix socket and its file.
class UnixListener {
 public:
  // The file has mode 0600 from the moment it exists. An existing file at `path` is replaced only
  // if it is a socket of this process's user on which nobody listens any more.
  static Result<UnixListener> listen(const std::filesystem::path& path);
  UnixListener(UnixListener&&) = default;
  UnixListener& operator=(UnixListener&&) = delete;
  // Removes the file if it is still the one that this object made.
  ~UnixListener();

  // Hands over the descriptor; this object still removes the file.
  UniqueFd take() { return std::move(fd_); }

 private:
  UnixListener(std::filesystem::path path, UniqueFd fd, dev_t device, ino_t inode)
      : path_(std::move(path)), fd_(std::move(fd)), device_(device), inode_(inode) {}

  std::filesystem::path path_;
  UniqueFd fd_;
  dev_t device_;
  ino_t inode_;
};

// A connected stream socket, for clients. A path that is too long for a socket address is reached
// through a descriptor of its folder. The error is an errno value.
tl::expected<UniqueFd, int> connect_unix(const std::filesystem::path& path);

}  // namespace triggerd::admin
