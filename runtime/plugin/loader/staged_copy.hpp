// The private copy of a plugin that is loaded instead of the file that was built.
//
// Overwriting a mapped library kills the process with SIGBUS at the next page that is not in
// memory, and for a path or inode that it has seen dlopen returns the old library. So every
// generation is loaded from a file of its own, with its own path, that nobody writes to.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "base/result.hpp"

namespace triggerd::plugin {

// The destructor removes the file. [control]
class StagedCopy {
 public:
  // Copies `file` to STAGE_DIR/NAME.NUMBER.HASH12.so with mode 0500. If the file changes meanwhile
  // it is read again, a few times. The error continues a sentence that begins with the file's name.
  // `while_reading` is called during each attempt, for tests.
  static Result<StagedCopy> make(
      const std::filesystem::path& file, const std::filesystem::path& stage_dir,
      std::string_view name, unsigned number, const std::function<void()>& while_reading = [] {});
  // For a file that already is a private copy and belongs to somebody else. Its digest is not
  // known.
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
