#include "inbox/inbox.hpp"

#include <sys/stat.h>

#include "inbox/database.hpp"
#include "inbox/folder.hpp"
#include "inbox/room.hpp"
#include "inbox/schema.hpp"

namespace triggerd::inbox {

Inbox::Inbox(std::unique_ptr<Database> database, std::filesystem::path file,
             const OpenOptions& options)
    : file_(std::move(file)),
      vfs_(options.vfs),
      clock_(*options.clock),
      database_(std::move(database)),
      folder_(std::make_unique<Folder>(Folder{.path = folder()})) {
  folder_->identity = identity_of_file(folder_->path).value_or(FileIdentity{});
  for (Reader* const reader : {&counting_, &listing_}) reader->file = database_->remembered_file();
}
Inbox::~Inbox() = default;

std::filesystem::path Inbox::folder() const {
  const std::filesystem::path folder = file_.parent_path();
  return folder.empty() ? "." : folder;
}

Result<std::unique_ptr<Inbox>> Inbox::open_whole(const std::filesystem::path& file,
                                                 const OpenOptions& options,
                                                 bool& damaged) TRIGGERD_NO_ANALYSIS {
  const mode_t mask = ::umask(0077);
  auto database = Database::open(file, options.vfs, damaged);
  ::umask(mask);
  if (!database) return tl::make_unexpected(database.error());
  // Reads all of it, so it has its price; what a start may cost.
  Statement check(**database, "PRAGMA quick_check(1)");
  std::string verdict = "ok";
  if (check.step()) verdict = check.text(0);
  const auto checked = check.finish("check");
  damaged = verdict != "ok" || (!checked && (*database)->corrupt());
  if (!checked) return tl::make_unexpected(checked.error());
  if (damaged) return fail("{} is damaged: {}", file.string(), verdict);
  if (auto migrated = migrate(**database); !migrated) {
    return tl::make_unexpected(migrated.error());
  }
  (*database)->remember_files();
  std::unique_ptr<Inbox> inbox(new Inbox(std::move(*database), file, options));
  if (auto begun = inbox->begin_clock(); !begun) return tl::make_unexpected(begun.error());
  return inbox;
}

Result<std::unique_ptr<Inbox>> Inbox::open(const std::filesystem::path& file,
                                           const OpenOptions& options) {
  bool damaged = false;
  auto opened = open_whole(file, options, damaged);
  if (!opened && opened.error().code == Database::kNoRoom && options.vfs.empty()) {
    Room(file.parent_path().empty() ? "." : file.parent_path()).release();
    opened = open_whole(file, options, damaged);
  }
  if (opened || !damaged || !options.set_aside) return opened;
  const std::string suffix = fmt::format(".damaged-{}", to_ms(options.clock->wall()));
  for (const char* part : Database::kParts) {
    const std::filesystem::path from = file.string() + part;
    std::error_code error;
    if (!std::filesystem::exists(from, error)) continue;
    std::filesystem::rename(from, file.string() + suffix + part, error);
    if (error) return fail("cannot set {} aside: {}", from.string(), error.message());
  }
  options.set_aside(file.string() + suffix, opened.error().message);
  return open_whole(file, options, damaged);
}

Result<std::string> Inbox::client_id(std::string_view alias, std::string_view candidate) {
  MutexLock lock(mutex_);
  {
    Statement query(*database_, "SELECT client_id FROM client_id WHERE alias = ?");
    std::string kept;
    if (query.bind(alias).step()) kept = query.text(0);
    if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
    if (!kept.empty()) return kept;
  }
  auto transaction = Transaction::begin(*database_, Transaction::Sync::disk);
  if (!transaction) return tl::make_unexpected(transaction.error());
  Statement insert(*database_, "INSERT INTO client_id (alias, client_id) VALUES (?, ?)");
  auto done = insert.bind(alias).bind(candidate).finish("write");
  if (done) done = transaction->commit();
  if (!done) return tl::make_unexpected(done.error());
  return std::string(candidate);
}

Result<std::optional<std::vector<std::string>>> Inbox::session(std::string_view client_id) {
  MutexLock lock(mutex_);
  Statement query(*database_,
                  "SELECT filter FROM session LEFT JOIN subscription USING (client_id)"
                  " WHERE client_id = ? ORDER BY filter");
  query.bind(client_id);
  std::optional<std::vector<std::string>> filters;
  while (query.step()) {
    if (!filters) filters.emplace();
    if (std::string filter = query.text(0); !filter.empty()) filters->push_back(std::move(filter));
  }
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return filters;
}

Result<> Inbox::remember_session(std::string_view client_id,
                                 const std::vector<std::string>& filters) {
  MutexLock lock(mutex_);
  auto transaction = Transaction::begin(*database_, Transaction::Sync::disk);
  if (!transaction) return tl::make_unexpected(transaction.error());
  Statement session(*database_, "INSERT OR IGNORE INTO session (client_id) VALUES (?)");
  if (auto done = session.bind(client_id).finish("write"); !done) return done;
  Statement clear(*database_, "DELETE FROM subscription WHERE client_id = ?");
  if (auto done = clear.bind(client_id).finish("write"); !done) return done;
  for (const std::string& filter : filters) {
    Statement insert(*database_,
                     "INSERT OR IGNORE INTO subscription (client_id, filter) VALUES (?, ?)");
    if (auto done = insert.bind(client_id).bind(filter).finish("write"); !done) return done;
  }
  return transaction->commit();
}

Result<std::optional<Session>> Inbox::place_session(const Session& session) {
  MutexLock lock(mutex_);
  std::optional<Session> before;
  {
    Statement query(*database_, "SELECT alias, server FROM session WHERE client_id = ?");
    if (query.bind(session.client_id).step()) {
      before = Session{session.client_id, query.text(0), query.text(1)};
    }
    if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  }
  if (!before || (before->alias == session.alias && before->server == session.server)) {
    return before;
  }
  auto transaction = Transaction::begin(*database_, Transaction::Sync::disk);
  if (!transaction) return tl::make_unexpected(transaction.error());
  Statement update(*database_, "UPDATE session SET alias = ?, server = ? WHERE client_id = ?");
  auto done =
      update.bind(session.alias).bind(session.server).bind(session.client_id).finish("write");
  if (done) done = transaction->commit();
  if (!done) return tl::make_unexpected(done.error());
  return before;
}

Result<std::vector<Session>> Inbox::sessions() {
  MutexLock lock(mutex_);
  Statement query(*database_, "SELECT client_id, alias, server FROM session ORDER BY client_id");
  std::vector<Session> found;
  while (query.step()) found.push_back({query.text(0), query.text(1), query.text(2)});
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return found;
}

Result<> Inbox::forget_session(std::string_view client_id) {
  MutexLock lock(mutex_);
  auto transaction = Transaction::begin(*database_, Transaction::Sync::disk);
  if (!transaction) return tl::make_unexpected(transaction.error());
  for (const char* sql : {"DELETE FROM session WHERE client_id = ?",
                          "DELETE FROM awaiting_pubrel WHERE client_id = ?"}) {
    Statement clear(*database_, sql);
    if (auto done = clear.bind(client_id).finish("write"); !done) return done;
  }
  return transaction->commit();
}

Result<std::vector<std::pair<std::string, std::string>>> Inbox::handled_retained(
    std::string_view trigger) {
  MutexLock lock(mutex_);
  Statement query(*database_, "SELECT topic, sha256 FROM handled_retained WHERE trigger_name = ?");
  query.bind(trigger);
  std::vector<std::pair<std::string, std::string>> handled;
  while (query.step()) handled.emplace_back(query.text(0), query.text(1));
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return handled;
}

}  // namespace triggerd::inbox
