// The inbox's file while it is open: the connection that writes, with the one lock over it, and the
// two that only read.
//
// All that is kept in the file goes through this: the classes that inbox.hpp lists take the lock,
// and use the connection. Its files may be taken away meanwhile; keep() sees to that.
//
// Threads: any, under mutex(). The readers have locks of their own.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/mutex.hpp"
#include "base/result.hpp"
#include "inbox/database.hpp"
#include "inbox/folder.hpp"
#include "inbox/reader.hpp"
#include "inbox/row_clock.hpp"

namespace triggerd::inbox {

class InboxFile {
 public:
  // `database` has the file at `path` open, through `vfs`, and has remembered its files.
  InboxFile(std::unique_ptr<Database> database, std::filesystem::path path, std::string vfs,
            const RowClock& row_clock);

  Mutex& mutex() TRIGGERD_THREAD_ATTRIBUTE(lock_returned(mutex_)) { return mutex_; }
  Database& database() TRIGGERD_REQUIRES(mutex_) { return *database_; }
  RowClock& row_clock() TRIGGERD_REQUIRES(mutex_) { return row_clock_; }
  // Checks that the open files are those at their names, and writes those that are missing again
  // from the open ones. Returns what was missing; empty: nothing. Unless that is empty, statements
  // that were prepared before are of no use any more. The code of an error is Database::kNoRoom if
  // more room may help. [the writer]
  Result<std::string> keep() TRIGGERD_REQUIRES(mutex_);

  // Two, so that a list does not wait until everything is counted.
  Reader& counting() { return counting_; }
  Reader& listing() { return listing_; }

  const std::filesystem::path& folder() const { return folder_path_; }
  // False: another VFS has its own idea of files and volumes (tests).
  bool is_on_a_volume() const { return vfs_.empty(); }

 private:
  Result<> keep_file_at_name(const Database::Lost& lost, const std::string& what)
      TRIGGERD_REQUIRES(mutex_);
  Result<> write_again() TRIGGERD_REQUIRES(mutex_);
  Result<> keep_wal_at_name(const std::string& what) TRIGGERD_REQUIRES(mutex_);
  void remove_wal() const;

  const std::filesystem::path path_;
  const std::filesystem::path folder_path_;
  const std::string vfs_;
  Mutex mutex_;
  const std::unique_ptr<Database> database_ TRIGGERD_GUARDED_BY(mutex_);
  RowClock row_clock_ TRIGGERD_GUARDED_BY(mutex_);
  Folder folder_ TRIGGERD_GUARDED_BY(mutex_);
  Reader counting_;
  Reader listing_;
};

}  // namespace triggerd::inbox
