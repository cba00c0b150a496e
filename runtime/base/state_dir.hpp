// The folder the runtime keeps its state in, held by one runtime at a time.
#pragma once

#include <filesystem>

#include "base/file.hpp"
#include "base/result.hpp"

namespace triggerd {

// Created with mode 0700 and locked while this object lives. The lock is the kernel's (flock on
// DIR/lock), so it ends with the process, however that dies.
class StateDir {
 public:
  enum class Failure {
    unusable,  // it is the wrong folder
    locked,
    passing  // another try may find it well: its volume is full, say
  };
  struct OpenError {
    Failure failure;
    std::string message;
  };
  static tl::expected<StateDir, OpenError> open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }

 private:
  StateDir(std::filesystem::path path, UniqueFd lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  std::filesystem::path path_;
  UniqueFd lock_;
};

}  // namespace triggerd
