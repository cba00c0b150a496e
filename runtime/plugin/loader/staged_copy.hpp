// The private copy of a plugin that is loaded instead of the file that was built.
//
// Who overwrites a library that is mapped kills the process with SIGBUS at the next cold page, and
// a path or inode that dlopen has seen gives the old library back. So every generation is loaded
// from a file of its own, with a path of its own, that nobody writes to.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "base/result.hpp"

namespace triggerd::plugin {

// Removes its file when it goes. [control]
class StagedCopy {
 public:
  // Copies `file` to STAGE_DIR/NAME.NUMBER.HASH12.so, mode 0500. A file that changes meanwhile is
  // read again, a few times. The error continues a sentence that begins with the file's name.
  // `while_reading` is called during each attempt: a seam for tests.
  static Result<StagedCopy> make(
      const std::filesystem::path& file, const std::filesystem::path& stage_dir,
      std::string_view name, unsigned number, const std::function<void()>& while_reading = [] {});
  // Of a file that is a private copy already, and somebody else's. Its digest is not known.
  static Result<StagedCopy> keep(const std::filesystem::path& file) {
    StagedCopy copy(file, {});
    copy.remove_ = false;
    return copy;
  }
  StagedCopy(StagedCopy&& other) noexcept;
  StagedCopy& operator=(StagedCopy&&) = delete;
  ~StagedCopy();

  const std::filesystem::path& path() const { return path_; }
  // Of the content, in lower-case hexadecimal.
  const std::string& sha256() const { return sha256_; }

 private:
  StagedCopy(std::filesystem::path path, std::string sha256)
      : path_(std::move(path)), sha256_(std::move(sha256)) {}

  std::filesystem::path path_;  // empty: moved from
  std::string sha256_;
  bool remove_ = true;
};

}  // namespace triggerd::plugin
