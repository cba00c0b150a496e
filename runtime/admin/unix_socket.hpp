// The socket file of the administrator: made for its owner alone, and nobody else's is replaced.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "base/file.hpp"
#include "base/result.hpp"

namespace triggerd::admin {

// A listening Unix socket and its file.
class UnixListener {
 public:
  // The file has mode 0600 from its first moment on. What is at `path` already is replaced only
  // where it is a socket of ours on which nobody listens any more.
  static Result<UnixListener> listen(const std::filesystem::path& path);
  UnixListener(UnixListener&&) = default;
  UnixListener& operator=(UnixListener&&) = delete;
  // Removes the file, where it is still this one's.
  ~UnixListener();

  // Hands the descriptor over; the file stays this object's.
  UniqueFd take() { return std::move(fd_); }

 private:
  UnixListener(std::filesystem::path path, UniqueFd fd, dev_t device, ino_t inode)
      : path_(std::move(path)), fd_(std::move(fd)), device_(device), inode_(inode) {}

  std::filesystem::path path_;
  UniqueFd fd_;
  dev_t device_;
  ino_t inode_;
};

// A connected stream socket; for those who ask. Paths longer than a socket's address may be are
// reached by their folder. The error is errno's.
tl::expected<UniqueFd, int> connect_unix(const std::filesystem::path& path);

}  // namespace triggerd::admin
