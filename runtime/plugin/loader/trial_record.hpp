// What earlier starts have tried in processes of their own, and this one need not try again: a file
// in the state folder.
//
//   triggerd-trials 1 KEY   the first line; KEY is 64 digits, drawn with the file
//   path LOOK PATH          a file that is mapped as code, a file that the loader reads, a folder
//   in
//                           which it looks for the libraries of a plugin
//   tried DIGEST            one for each thing that was tried
//   end DIGEST              of all that stands above: without it the file is cut
//
// A DIGEST is an HMAC-SHA-256 with KEY, in 64 digits. LOOK is what stat(2) says: inode, size, mtime
// and ctime, or "-" where there is nothing.
//
// The file is there only while what it says may be relied on: who reads it removes it, and keep()
// writes it anew once whatever was not tried has shown that it works. A process that ends in
// between, in whatever way, leaves none, and the next start tries everything.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/mutex.hpp"
#include "base/result.hpp"
#include "config/config_fwd.hpp"

namespace triggerd::plugin {

// Thread-safe.
class TrialRecord {
 public:
  // Reads `file` and removes it. Nothing of it is known where it is not `trusted`, is cut, of
  // another version or of another user, where one of its paths does not look as it did, and where
  // it cannot be removed.
  TrialRecord(std::filesystem::path file, bool trusted);
  TrialRecord(const TrialRecord&) = delete;
  TrialRecord& operator=(const TrialRecord&) = delete;

  // The digest that stands for: a library with these bytes was loaded and unloaded. `in_process`:
  // it is to be loaded into this process.
  std::string library(std::string_view sha256, bool in_process) const;
  // For: the trigger's service, of a library with these bytes, was made and destroyed.
  std::string service(std::string_view sha256, const config::Trigger& trigger) const;

  // Whether an earlier start has tried it. Of nothing any more after keep().
  bool knows(const std::string& digest) const;
  // It was tried, by this start or before, and is now loaded or made in this process. Not any more
  // after keep().
  void add(const std::string& digest);

  struct Plugins {
    std::vector<std::filesystem::path> copies;   // whose content a digest has
    std::vector<std::filesystem::path> folders;  // where the loader looks for their libraries
  };
  // Writes the file for the next start. An error: there is none. So it is too where a file may have
  // been replaced since it was mapped.
  Result<> keep(const Plugins& plugins);

 private:
  bool read(std::string_view text) TRIGGERD_REQUIRES(mutex_);
  std::string digest(std::string_view bytes) const;
  Result<std::string> text_for(const std::vector<std::string>& paths) const
      TRIGGERD_REQUIRES(mutex_);

  const std::filesystem::path file_;
  const std::int64_t began_;       // in nanoseconds of Unix time
  const std::string environment_;  // what the loader goes by
  std::string key_;                // empty: the system has none to give, and there is no record
  mutable Mutex mutex_;
  std::unordered_set<std::string> known_ TRIGGERD_GUARDED_BY(mutex_);
  std::unordered_set<std::string> tried_ TRIGGERD_GUARDED_BY(mutex_);
  bool over_ TRIGGERD_GUARDED_BY(mutex_) = false;
};

}  // namespace triggerd::plugin
