// The folder in which the runtime keeps its state, locked so that only one runtime uses it.
#pragma once

#include <filesystem>

#include "base/file.hpp"
#include "base/result.hpp"

namespace triggerd {

// Creates the folder with mode 0700 and locks it while this object lives. The lock is the kernel's
// (flock on DIR/lock), so it ends with the process, however that ends.
class StateDir {
 public:
  enum class Failure {
    unusable,  // the folder cannot be used as it is
    locked,    // another process has it
    passing    // another try may succeed: its volume is full, for example
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
