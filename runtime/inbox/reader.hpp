// A connection that only reads, with a lock of its own, so that nobody who writes waits for whoever
// lists or counts.
//
// Threads: any, under mutex(). Whoever has the inbox's lock may take this one, and not the other
// way round.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/file.hpp"
#include "base/mutex.hpp"
#include "base/result.hpp"
#include "inbox/database.hpp"

namespace triggerd::inbox {

class Reader {
 public:
  // `vfs`: see Database. `open_file` is the one that the inbox has open; nullopt: not known.
  Reader(std::filesystem::path path, std::string vfs, std::optional<FileIdentity> open_file)
      : path_(std::move(path)), vfs_(std::move(vfs)), open_file_(open_file) {}

  Mutex& mutex() TRIGGERD_THREAD_ATTRIBUTE(lock_returned(mutex_)) { return mutex_; }
  // Opened when it is needed. An error if the file at the name is not the one that the inbox has
  // open: that file would be read with the WAL of the open one.
  Result<Database*> database() TRIGGERD_REQUIRES(mutex_);
  // Until database() is called again.
  void close() TRIGGERD_REQUIRES(mutex_) { database_.reset(); }
  // The inbox has opened another file.
  void follow(std::optional<FileIdentity> open_file) TRIGGERD_REQUIRES(mutex_) {
    open_file_ = open_file;
  }

 private:
  const std::filesystem::path path_;
  const std::string vfs_;
  Mutex mutex_;
  std::unique_ptr<Database> database_ TRIGGERD_GUARDED_BY(mutex_);
  std::optional<FileIdentity> open_file_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::inbox
