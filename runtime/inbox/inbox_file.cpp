#include "inbox/inbox_file.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/file.hpp"

namespace triggerd::inbox {
namespace {

std::filesystem::path folder_of(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.parent_path();
  return folder.empty() ? "." : folder;
}

// `what` cannot be done: errno says why.
tl::unexpected<Error> failed(std::string what) {
  const int why = errno;
  const bool full = why == ENOSPC || why == EDQUOT;
  return tl::make_unexpected(
      Error{std::move(what) + ": " + errno_text(why), full ? Database::kNoRoom : 0});
}

Result<> sync(const std::filesystem::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || ::fsync(file.get()) != 0) return failed("cannot write " + path.string());
  return {};
}

}  // namespace

InboxFile::InboxFile(std::unique_ptr<Database> database, std::filesystem::path path,
                     std::string vfs, const RowClock& row_clock)
    : path_(std::move(path)),
      folder_path_(folder_of(path_)),
      vfs_(std::move(vfs)),
      database_(std::move(database)),
      row_clock_(row_clock),
      folder_(folder_path_),
      counting_(path_, vfs_, database_->remembered_file()),
      listing_(path_, vfs_, database_->remembered_file()) {}

Result<std::string> InboxFile::keep() {
  const auto lost = database_->lost();
  if (!lost && database_->is_open()) return {};
  const std::string what =
      lost ? fmt::format("{}{} {}", path_.string(), Database::kParts[lost->part], lost->what())
           : fmt::format("{} is not open", path_.string());
  // Connections of one process share what they know of a file.
  const MutexLock no_counting(counting_.mutex());
  const MutexLock no_listing(listing_.mutex());
  counting_.close();
  listing_.close();
  if (lost) {
    auto kept = lost->part == 0 ? keep_file_at_name(*lost, what) : keep_wal_at_name(what);
    if (!kept) return tl::make_unexpected(kept.error());
  }
  if (auto opened = database_->reopen(); !opened) return tl::make_unexpected(opened.error());
  counting_.follow(database_->remembered_file());
  listing_.follow(database_->remembered_file());
  return what;
}

Result<> InboxFile::keep_file_at_name(const Database::Lost& lost, const std::string& what) {
  if (!lost.gone) {
    if (!database_->leave_name()) {
      return fail("{}, and somebody who reads the open one keeps its WAL beside it", what);
    }
    return fail(
        "{}; move that one away and the open one is written again, or stop the runtime to use it",
        what);
  }
  if (auto written = write_again(); !written) {
    return tl::make_unexpected(
        Error{fmt::format("{}, and cannot be written again: {}", what, written.error().message),
              written.error().code});
  }
  return {};
}

Result<> InboxFile::write_again() {
  if (auto kept = folder_.keep(); !kept) return kept;
  const std::filesystem::path copy = path_.string() + ".again";
  ::unlink(copy.c_str());
  {
    const UniqueFd made(::open(copy.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!made) return failed(copy.string());
  }
  Statement write(*database_, "VACUUM INTO ?");
  Result<> done = write.bind(copy.string()).finish("copy");
  if (done) done = sync(copy);
  // Those of the file that is gone would be taken for the new one's.
  remove_wal();
  if (done && ::renameat2(AT_FDCWD, copy.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) != 0) {
    done = failed(path_.string());
  }
  if (!done) {
    ::unlink(copy.c_str());
    return done;
  }
  return sync(folder_path_);
}

// What is in the lost WAL has to be in the file before there is another one.
Result<> InboxFile::keep_wal_at_name(const std::string& what) {
  switch (database_->checkpoint()) {
    case Database::Checkpoint::done:
      remove_wal();
      return {};
    case Database::Checkpoint::held:
      return fail("{}, and somebody who reads inbox.db keeps it from being made anew", what);
    case Database::Checkpoint::failed:
      break;
  }
  const Error error = database_->error("write");
  return tl::make_unexpected(
      Error{fmt::format("{}, and cannot be made anew: {}", what, error.message), error.code});
}

void InboxFile::remove_wal() const {
  for (const char* part : {"-wal", "-shm"}) ::unlink((path_.string() + part).c_str());
}

}  // namespace triggerd::inbox
