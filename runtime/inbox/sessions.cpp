#include "inbox/sessions.hpp"

#include "inbox/inbox_file.hpp"

namespace triggerd::inbox {

Result<std::string> Sessions::client_id(std::string_view alias, std::string_view candidate) {
  MutexLock lock(file_.mutex());
  Database& database = file_.database();
  {
    Statement query(database, "SELECT client_id FROM client_id WHERE alias = ?");
    std::string kept;
    if (query.bind(alias).step()) kept = query.text(0);
    if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
    if (!kept.empty()) return kept;
  }
  auto transaction = Transaction::begin(database, Transaction::Sync::disk);
  if (!transaction) return tl::make_unexpected(transaction.error());
  Statement insert(database, "INSERT INTO client_id (alias, client_id) VALUES (?, ?)");
  auto done = insert.bind(alias).bind(candidate).finish("write");
  if (done) done = transaction->commit();
  if (!done) return tl::make_unexpected(done.error());
  return std::string(candidate);
}

Result<std::optional<std::vector<std::string>>> Sessions::filters(std::string_view client_id) {
  MutexLock lock(file_.mutex());
  Database& database = file_.database();
  Statement query(database,
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

Result<> Sessions::remember(std::string_view client_id, const std::vector<std::string>& filters) {
  MutexLock lock(file_.mutex());
  Database& database = file_.database();
  auto transaction = Transaction::begin(database, Transaction::Sync::disk);
  if (!transaction) return tl::make_unexpected(transaction.error());
  Statement session(database, "INSERT OR IGNORE INTO session (client_id) VALUES (?)");
  if (auto done = session.bind(client_id).finish("write"); !done) return done;
  Statement clear(database, "DELETE FROM subscription WHERE client_id = ?");
  if (auto done = clear.bind(client_id).finish("write"); !done) return done;
  for (const std::string& filter : filters) {
    Statement insert(database,
                     "INSERT OR IGNORE INTO subscription (client_id, filter) VALUES (?, ?)");
    if (auto done = insert.bind(client_id).bind(filter).finish("write"); !done) return done;
  }
  return transaction->commit();
}

Result<std::optional<Session>> Sessions::place(const Session& session) {
  MutexLock lock(file_.mutex());
  Database& database = file_.database();
  std::optional<Session> before;
  {
    Statement query(database, "SELECT alias, server FROM session WHERE client_id = ?");
    if (query.bind(session.client_id).step()) {
      before = Session{session.client_id, query.text(0), query.text(1)};
    }
    if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  }
  if (!before || (before->alias == session.alias && before->server == session.server)) {
    return before;
  }
  auto transaction = Transaction::begin(database, Transaction::Sync::disk);
  if (!transaction) return tl::make_unexpected(transaction.error());
  Statement update(database, "UPDATE session SET alias = ?, server = ? WHERE client_id = ?");
  auto done =
      update.bind(session.alias).bind(session.server).bind(session.client_id).finish("write");
  if (done) done = transaction->commit();
  if (!done) return tl::make_unexpected(done.error());
  return before;
}

Result<std::vector<Session>> Sessions::all() {
  MutexLock lock(file_.mutex());
  Database& database = file_.database();
  Statement query(database, "SELECT client_id, alias, server FROM session ORDER BY client_id");
  std::vector<Session> found;
  while (query.step()) found.push_back({query.text(0), query.text(1), query.text(2)});
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return found;
}

Result<> Sessions::forget(std::string_view client_id) {
  MutexLock lock(file_.mutex());
  Database& database = file_.database();
  auto transaction = Transaction::begin(database, Transaction::Sync::disk);
  if (!transaction) return tl::make_unexpected(transaction.error());
  for (const char* sql : {"DELETE FROM session WHERE client_id = ?",
                          "DELETE FROM awaiting_pubcomp WHERE client_id = ?",
                          "DELETE FROM awaiting_pubrel WHERE client_id = ?"}) {
    Statement clear(database, sql);
    if (auto done = clear.bind(client_id).finish("write"); !done) return done;
  }
  return transaction->commit();
}

}  // namespace triggerd::inbox
