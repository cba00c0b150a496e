#include "inbox/inbox.hpp"

#include <sys/stat.h>

#include "inbox/database.hpp"
#include "inbox/schema.hpp"

namespace triggerd::inbox {
namespace {

std::int64_t to_ms(Wall time) {
  return std::chrono::duration_cast<Millis>(time.time_since_epoch()).count();
}

Wall from_ms(std::int64_t ms) {
  return Wall(Millis(ms));
}

}  // namespace

Inbox::Inbox(std::unique_ptr<Database> database) : database_(std::move(database)) {}
Inbox::~Inbox() = default;

Result<std::unique_ptr<Inbox>> Inbox::open(const std::filesystem::path& file) {
  const mode_t mask = ::umask(0077);
  auto database = Database::open(file);
  ::umask(mask);
  if (!database) return tl::make_unexpected(database.error());
  if (auto migrated = migrate(**database); !migrated) {
    return tl::make_unexpected(migrated.error());
  }
  return std::unique_ptr<Inbox>(new Inbox(std::move(*database)));
}

Result<std::string> Inbox::client_id(std::string_view alias, std::string_view candidate) {
  MutexLock lock(mutex_);
  Transaction transaction(*database_, Transaction::Sync::disk);
  Statement insert(*database_, "INSERT OR IGNORE INTO client_id (alias, client_id) VALUES (?, ?)");
  if (auto done = insert.bind(alias).bind(candidate).finish("write"); !done) {
    return tl::make_unexpected(done.error());
  }
  Statement query(*database_, "SELECT client_id FROM client_id WHERE alias = ?");
  std::string kept;
  if (query.bind(alias).step()) kept = query.text(0);
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  if (auto done = transaction.commit(); !done) return tl::make_unexpected(done.error());
  return kept;
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
  Transaction transaction(*database_, Transaction::Sync::process);
  Statement clear(*database_, "DELETE FROM session WHERE client_id = ?");
  if (auto done = clear.bind(client_id).finish("write"); !done) return done;
  Statement session(*database_, "INSERT INTO session (client_id) VALUES (?)");
  if (auto done = session.bind(client_id).finish("write"); !done) return done;
  for (const std::string& filter : filters) {
    Statement insert(*database_,
                     "INSERT OR IGNORE INTO subscription (client_id, filter) VALUES (?, ?)");
    if (auto done = insert.bind(client_id).bind(filter).finish("write"); !done) return done;
  }
  return transaction.commit();
}

Result<> Inbox::forget_session(std::string_view client_id) {
  MutexLock lock(mutex_);
  Transaction transaction(*database_, Transaction::Sync::process);
  Statement clear(*database_, "DELETE FROM session WHERE client_id = ?");
  if (auto done = clear.bind(client_id).finish("write"); !done) return done;
  return transaction.commit();
}

Result<std::int64_t> Inbox::add_dead_letter(const DeadLetter& letter) {
  MutexLock lock(mutex_);
  Transaction transaction(*database_, Transaction::Sync::disk);
  Statement insert(*database_,
                   "INSERT INTO dead_letter (message_id, trigger_name, topic, payload, qos,"
                   " retained, reason, attempts, received_ms, died_ms)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number");
  insert.bind(letter.message_id).bind(letter.trigger).bind(letter.topic).bind_blob(letter.payload);
  insert.bind(std::int64_t{letter.qos}).bind(std::int64_t{letter.retained}).bind(letter.reason);
  insert.bind(std::int64_t{letter.attempts}).bind(to_ms(letter.received)).bind(to_ms(letter.died));
  std::int64_t number = 0;
  if (insert.step()) number = insert.number(0);
  if (auto done = insert.finish("write"); !done) return tl::make_unexpected(done.error());
  if (auto done = transaction.commit(); !done) return tl::make_unexpected(done.error());
  return number;
}

Result<std::vector<DeadLetter>> Inbox::dead_letters(std::string_view trigger, std::size_t limit) {
  MutexLock lock(mutex_);
  Statement query(*database_,
                  "SELECT number, message_id, trigger_name, topic, payload, qos, retained, reason,"
                  " attempts, received_ms, died_ms FROM dead_letter"
                  " WHERE ?1 = '' OR trigger_name = ?1 ORDER BY number DESC LIMIT ?2");
  query.bind(trigger).bind(static_cast<std::int64_t>(limit));
  std::vector<DeadLetter> letters;
  while (query.step()) {
    letters.push_back({.number = query.number(0),
                       .message_id = query.text(1),
                       .trigger = query.text(2),
                       .topic = query.text(3),
                       .payload = query.text(4),
                       .qos = static_cast<int>(query.number(5)),
                       .retained = query.number(6) != 0,
                       .reason = query.text(7),
                       .attempts = static_cast<std::uint32_t>(query.number(8)),
                       .received = from_ms(query.number(9)),
                       .died = from_ms(query.number(10))});
  }
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return letters;
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

Result<> Inbox::set_handled_retained(std::string_view trigger, std::string_view topic,
                                     std::string_view digest) {
  MutexLock lock(mutex_);
  Transaction transaction(*database_, Transaction::Sync::process);
  Statement insert(*database_,
                   "INSERT OR REPLACE INTO handled_retained (trigger_name, topic, sha256)"
                   " VALUES (?, ?, ?)");
  if (auto done = insert.bind(trigger).bind(topic).bind(digest).finish("write"); !done) return done;
  return transaction.commit();
}

}  // namespace triggerd::inbox
