// A loaded library, whose unloading is verified.
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

// Whether dlopen survives the copy (elf_check.hpp). The error continues a sentence that begins with
// the file's name.
Result<> check_library(const StagedCopy& copy);

// [control]
class Library {
 public:
  // Loads a copy that check_library() has accepted, and so runs its constructors. The error
  // continues a sentence that begins with the file's name.
  static Result<std::unique_ptr<Library>> load(StagedCopy copy);
  // Unloads it if unload() was not called.
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  trigger_plugin_entry entry() const { return entry_; }
  const std::string& sha256() const { return copy_.sha256(); }
  const std::filesystem::path& path() const { return copy_.path(); }

  // The folders in which the loader looks for the libraries that it needs.
  std::vector<std::filesystem::path> search_folders() const;

  // Called when none of its code runs or will run. False: it is still mapped.
  [[nodiscard]] bool unload();

 private:
  Library(StagedCopy copy, std::unique_ptr<boost::dll::shared_library> library,
          trigger_plugin_entry entry);

  StagedCopy copy_;
  std::unique_ptr<boost::dll::shared_library> library_;
  trigger_plugin_entry entry_;
};

}  // namespace triggerd::plugin
