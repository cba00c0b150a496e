// A loaded library, and proof that it is gone again.
#pragma once

#include <trigger/plugin.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "plugin/loader/staged_copy.hpp"

namespace boost::dll {
class shared_library;
}

namespace triggerd::plugin {

// Whether dlopen survives the copy: see elf_check.hpp. The error continues a sentence that begins
// with the file's name.
Result<> check_library(const StagedCopy& copy);

// [control]
class Library {
 public:
  // Loads a copy that check_library() accepts, which runs its constructors. The error
  // continues a sentence that begins with the file's name.
  static Result<std::unique_ptr<Library>> load(StagedCopy copy);
  // Unloads it, where unload() has not.
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  trigger_plugin_entry entry() const { return entry_; }
  const std::string& sha256() const { return copy_.sha256(); }
  const std::filesystem::path& path() const { return copy_.path(); }

  // Where the loader looks for the libraries that it needs.
  std::vector<std::filesystem::path> search_folders() const;

  // None of its code runs, or will. False: it stays mapped all the same.
  [[nodiscard]] bool unload();

 private:
  Library(StagedCopy copy, std::unique_ptr<boost::dll::shared_library> library,
          trigger_plugin_entry entry);

  StagedCopy copy_;
  std::unique_ptr<boost::dll::shared_library> library_;
  trigger_plugin_entry entry_;
};

}  // namespace triggerd::plugin
