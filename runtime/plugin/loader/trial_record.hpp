// The trial record: a file in the state folder that lists what earlier starts have tried in worker
// processes, so that this start need not try it again.
//
//   triggerd-trials 1 KEY   the first line; KEY is 64 digits, drawn with the file
//   path LOOK PATH          a file that is mapped as code, a file that the loader reads, or a
//                           folder in which it looks for the libraries of a plugin
//   tried DIGEST            one for each thing that was tried
//   end DIGEST              of all lines above; without it the file is cut
//
// A DIGEST is an HMAC-SHA-256 with KEY, in 64 digits. LOOK is what stat(2) says: inode, size, mtime
// and ctime, or "-" if there is nothing.
//
// The file exists only while it can be relied on. Reading it removes it, and keep() writes it again
// once everything that was not tried has proved to work. A process that ends in between, however it
// ends, leaves no file, and the next start tries everything.
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

// Thread-safe: a lock of its own.
class TrialRecord {
 public:
  // Reads `file` and removes it. Its content is ignored if it is not `trusted`, is cut, is of
  // another version or another user, if one of its paths does not look as it did, or if it cannot
  // be removed.
  TrialRecord(std::filesystem::path file, bool trusted);
  TrialRecord(const TrialRecord&) = delete;
  TrialRecord& operator=(const TrialRecord&) = delete;

  // The digest of a trial that loaded and unloaded a library with these bytes. `in_process`: the
  // library is to be loaded into this process.
  std::string library(std::string_view sha256, bool in_process) const;
  // The digest of a trial that created and destroyed the trigger's service, of a library with these
  // bytes.
  std::string service(std::string_view sha256, const config::Trigger& trigger) const;

  // Whether an earlier start has tried it. After keep(), always false.
  bool knows(const std::string& digest) const;
  // Notes that it was tried, by this start or an earlier one, and is now loaded or created in this
  // process. After keep(), does nothing.
  void add(const std::string& digest);

  struct Plugins {
    std::vector<std::filesystem::path> copies;   // whose content is in a digest
    std::vector<std::filesystem::path> folders;  // where the loader looks for their libraries
  };
  // Writes the file for the next start. After an error there is no file; it is an error, too, if a
  // file may have been replaced since it was mapped.
  Result<> keep(const Plugins& plugins);

 private:
  bool read(std::string_view text) TRIGGERD_REQUIRES(mutex_);
  std::string digest(std::string_view bytes) const;
  Result<std::string> text_for(const std::vector<std::string>& paths) const
      TRIGGERD_REQUIRES(mutex_);

  const std::filesystem::path file_;
  const std::int64_t began_;       // in nanoseconds of Unix time
  const std::string environment_;  // variables that the loader uses
  std::string key_;                // empty: the system has no random bytes, so no record is kept
  mutable Mutex mutex_;
  std::unordered_set<std::string> known_ TRIGGERD_GUARDED_BY(mutex_);
  std::unordered_set<std::string> tried_ TRIGGERD_GUARDED_BY(mutex_);
  bool over_ TRIGGERD_GUARDED_BY(mutex_) = false;
};

}  // namespace triggerd::plugin
