// Text in the user's editor.
#pragma once

#include <string>
#include <utility>

#include "base/result.hpp"

namespace triggerctl {

// A file that only its owner may read, removed with the object unless keep() was called.
class EditedFile {
 public:
  static triggerd::Result<EditedFile> make(const std::string& text,
                                           const std::string& extension = ".toml");
  ~EditedFile();
  EditedFile(EditedFile&& other) noexcept
      : path_(std::exchange(other.path_, {})), keep_(other.keep_) {}
  EditedFile& operator=(EditedFile&&) = delete;

  // Waits for $VISUAL, $EDITOR or vi, and returns the content of the file after that.
  triggerd::Result<std::string> edit();
  triggerd::Result<> write(const std::string& text);
  void keep() { keep_ = true; }
  const std::string& path() const { return path_; }

 private:
  explicit EditedFile(std::string path) : path_(std::move(path)) {}
  std::string path_;
  bool keep_ = false;
};

// `text` with `error` in comments above it, which replace those of an earlier error.
std::string with_error(const std::string& text, const std::string& error);

}  // namespace triggerctl
