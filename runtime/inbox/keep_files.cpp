// The part of Inbox that sees to it that what is written can be found again: the open files have
// their names, and times of rows stay true when the clock is set.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.hpp"
#include "inbox/database.hpp"
#include "inbox/folder.hpp"
#include "inbox/inbox.hpp"

namespace triggerd::inbox {
namespace {

// Between two looks the clocks drift apart by less, unless one of them is set.
constexpr std::int64_t kSetMs = 1'000;

Result<> sync(const std::filesystem::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || ::fsync(file.get()) != 0) {
    return fail("cannot write {}: {}", path.string(), errno_text(errno));
  }
  return {};
}

template <class Time>
std::int64_t ms_of(Time time) {
  return std::chrono::duration_cast<Millis>(time.time_since_epoch()).count();
}

}  // namespace

// ---- The files ----

Result<std::string> Inbox::keep_files() TRIGGERD_NO_ANALYSIS {
  const auto lost = database_->lost();
  if (!lost && database_->is_open()) return {};
  const std::string what =
      lost ? fmt::format("{}{} {}", file_.string(), Database::kParts[lost->part], lost->what())
           : fmt::format("{} is not open", file_.string());
  // Connections of one process share what they know of a file.
  const MutexLock no_counting(counting_.mutex);
  const MutexLock no_listing(listing_.mutex);
  for (Reader* const reader : {&counting_, &listing_}) reader->database.reset();
  if (lost && lost->part == 0) {
    if (!lost->gone) {
      if (!database_->leave_name()) {
        return fail("{}, and somebody who reads the open one keeps its WAL beside it", what);
      }
      return fail(
          "{}; move that one away and the open one is written again, or stop the runtime to "
          "use it",
          what);
    }
    if (auto written = write_file_again(); !written) {
      return fail("{}, and cannot be written again: {}", what, written.error().message);
    }
  } else if (lost) {
    // What is in the lost WAL has to be in the file before there is another one.
    if (database_->checkpoint() != Database::Checkpoint::done) {
      return fail("{}, and somebody who reads inbox.db keeps it from being made anew", what);
    }
    for (const char* part : {"-wal", "-shm"}) ::unlink((file_.string() + part).c_str());
  }
  if (auto opened = database_->reopen(); !opened) return tl::make_unexpected(opened.error());
  for (Reader* const reader : {&counting_, &listing_}) reader->file = database_->remembered_file();
  return what;
}

Result<> Inbox::write_file_again() TRIGGERD_NO_ANALYSIS {
  if (auto kept = keep_folder(); !kept) return kept;
  const std::filesystem::path copy = file_.string() + ".again";
  ::unlink(copy.c_str());
  {
    const UniqueFd made(::open(copy.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!made) return fail("{}: {}", copy.string(), errno_text(errno));
  }
  Statement write(*database_, "VACUUM INTO ?");
  Result<> done = write.bind(copy.string()).finish("copy");
  if (done) done = sync(copy);
  // Those of the file that is gone would be taken for the new one's.
  for (const char* part : {"-wal", "-shm"}) ::unlink((file_.string() + part).c_str());
  if (done && ::renameat2(AT_FDCWD, copy.c_str(), AT_FDCWD, file_.c_str(), RENAME_NOREPLACE) != 0) {
    done = fail("{}: {}", file_.string(), errno_text(errno));
  }
  if (!done) {
    ::unlink(copy.c_str());
    return done;
  }
  return sync(folder_->path);
}

// Where the folder is another one by now, nobody else may be using it.
Result<> Inbox::keep_folder() TRIGGERD_NO_ANALYSIS {
  const auto now = identity_of_file(folder_->path);
  if (now == folder_->identity) return {};
  if (now && now->device != folder_->identity.device) {
    return fail("{} is on another file system than before", folder_->path.string());
  }
  auto claimed = StateDir::open(folder_->path);
  if (!claimed) return fail("{}", claimed.error().message);
  folder_->claimed.emplace(std::move(*claimed));
  if (const auto found = identity_of_file(folder_->path)) folder_->identity = *found;
  return {};
}

// ---- The clock ----

std::int64_t Inbox::wall_ahead_now() const {
  return ms_of(clock_.wall()) - ms_of(clock_.now());
}

std::int64_t Inbox::row_time(Monotonic time) const {
  return ms_of(time) + wall_ahead_;
}

Monotonic Inbox::time_of_row(std::int64_t ms) const {
  return Monotonic(Millis(ms - wall_ahead_));
}

namespace {

Result<> shift_times(Database& database, std::int64_t ms, bool sync_to_disk) {
  auto transaction = Transaction::begin(
      database, sync_to_disk ? Transaction::Sync::disk : Transaction::Sync::process);
  if (!transaction) return tl::make_unexpected(transaction.error());
  Statement shift(database,
                  "UPDATE message SET received_ms = received_ms + ?1, expires_ms = expires_ms + ?1"
                  " WHERE expires_ms IS NOT NULL");
  if (auto done = shift.bind(ms).finish("write"); !done) return done;
  if (database.changes() == 0) return {};
  return transaction->commit();
}

}  // namespace

// The clock cannot have been before the newest message: it was set back while nobody looked.
Result<> Inbox::begin_clock() TRIGGERD_NO_ANALYSIS {
  wall_ahead_ = wall_ahead_now();
  std::int64_t newest = 0;
  Statement query(*database_, "SELECT MAX(received_ms) FROM message WHERE expires_ms IS NOT NULL");
  if (query.step()) newest = query.number(0);
  if (auto read = query.finish("read"); !read) return read;
  const std::int64_t back = newest - ms_of(clock_.wall());
  return back < kSetMs ? Result<>() : shift_times(*database_, -back, true);
}

Result<> Inbox::follow_clock(bool sync_to_disk) TRIGGERD_NO_ANALYSIS {
  const std::int64_t set = wall_ahead_now() - wall_ahead_;
  if (set < kSetMs && -set < kSetMs) return {};
  if (auto shifted = shift_times(*database_, set, sync_to_disk); !shifted) return shifted;
  wall_ahead_ += set;
  return {};
}

}  // namespace triggerd::inbox
