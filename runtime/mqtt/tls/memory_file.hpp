// A file in memory that only this process can open, for a library that only takes paths.
#pragma once

#include <string>
#include <string_view>

#include "base/file.hpp"
#include "base/result.hpp"

namespace triggerd::mqtt::tls {

// It is sealed: nobody can change it, not even this process. It goes with this object, so its path
// must not be used for longer.
class MemoryFile {
 public:
  MemoryFile() = default;
  static Result<MemoryFile> make(std::string_view content);

  // "/proc/self/fd/N"; empty: there is no file.
  const std::string& path() const { return path_; }

 private:
  UniqueFd fd_;
  std::string path_;
};

}  // namespace triggerd::mqtt::tls
