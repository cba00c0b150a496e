// A file in memory that only this process can open, for a library that takes nothing but paths.
#pragma once

#include <string>
#include <string_view>

#include "base/file.hpp"
#include "base/result.hpp"

namespace triggerd::mqtt::tls {

// Sealed: nobody can change it, this process included. It is gone with this object, so a path that
// is handed on must not outlive it.
class MemoryFile {
 public:
  MemoryFile() = default;
  static Result<MemoryFile> make(std::string_view content);

  // "/proc/self/fd/N", or empty where there is no file.
  const std::string& path() const { return path_; }

 private:
  UniqueFd fd_;
  std::string path_;
};

}  // namespace triggerd::mqtt::tls
