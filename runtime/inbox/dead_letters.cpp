#include "inbox/dead_letters.hpp"

#include "inbox/inbox_file.hpp"
#include "inbox/message_rows.hpp"

namespace triggerd::inbox {
namespace {

// All columns but the payload, in the order of the index dead_letter_listed.
constexpr std::string_view kDeadLetterColumns =
    "number, died_ms, trigger_name, message_id, topic, qos, retained, reason, attempts,"
    " received_ms, properties";

constexpr std::int64_t kLatest = INT64_MAX;

// Without a trigger the condition is left out, so that SQLite does not have to look at every row.
std::string let_through(const DeadLetterSelection& selection) {
  return fmt::format(" died_ms >= ?2 AND died_ms < ?3 AND number <= ?4{}",
                     selection.trigger.empty() ? "" : " AND trigger_name = ?1");
}

void bind(Statement& query, const DeadLetterSelection& selection) {
  query.bind(selection.trigger)
      .bind(selection.since ? to_ms(*selection.since) : std::int64_t{0})
      .bind(selection.until ? to_ms(*selection.until) : kLatest)
      .bind(selection.up_to);
}

DeadLetter dead_letter_of(const Statement& row) {
  return {.number = row.number(0),
          .message_id = row.text(3),
          .trigger = row.text(2),
          .topic = row.text(4),
          .payload = {},
          .qos = static_cast<int>(row.number(5)),
          .retained = row.number(6) != 0,
          .reason = row.text(7),
          .attempts = static_cast<std::uint32_t>(row.number(8)),
          .received = from_ms(row.number(9)),
          .died = from_ms(row.number(1)),
          .properties = properties_of(row, 10)};
}

// Reads the first `bytes` of its payload. False: the row is gone, or cannot be read.
bool read_payload(Database& database, DeadLetter& letter, std::size_t bytes) {
  const Blob payload(database, "dead_letter", "payload", letter.number);
  if (!payload.is_open()) return false;
  auto read = payload.first(bytes);
  if (!read) return false;
  letter.payload = *std::move(read);
  letter.payload_size = payload.size();
  return true;
}

}  // namespace

Result<std::int64_t> DeadLetters::add(const DeadLetter& letter,
                                      const std::function<std::optional<std::int64_t>()>& row) {
  MutexLock lock(file_.mutex());
  Database& database = file_.database();
  auto transaction = Transaction::begin(database, Transaction::Sync::disk);
  if (!transaction) return tl::make_unexpected(transaction.error());
  // First, so that the letter can have its room.
  if (const auto message = row ? row() : std::nullopt) {
    Statement remove(database, "DELETE FROM message WHERE number = ?");
    if (auto done = remove.bind(*message).finish("write"); !done) {
      return tl::make_unexpected(done.error());
    }
  }
  Statement insert(database,
                   "INSERT INTO dead_letter (message_id, trigger_name, topic, payload, qos,"
                   " retained, reason, attempts, received_ms, died_ms, properties)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number");
  insert.bind(letter.message_id).bind(letter.trigger).bind(letter.topic).bind_blob(letter.payload);
  insert.bind(std::int64_t{letter.qos}).bind(std::int64_t{letter.retained}).bind(letter.reason);
  insert.bind(std::int64_t{letter.attempts}).bind(to_ms(letter.received)).bind(to_ms(letter.died));
  insert.bind_optional_blob(letter.properties);
  std::int64_t number = 0;
  if (insert.step()) number = insert.number(0);
  if (auto done = insert.finish("write"); !done) return tl::make_unexpected(done.error());
  if (auto done = transaction->commit(); !done) return tl::make_unexpected(done.error());
  return number;
}

Result<> DeadLetters::edit(std::int64_t number, std::string_view topic, std::string_view payload) {
  MutexLock lock(file_.mutex());
  Database& database = file_.database();
  auto transaction = Transaction::begin(database, Transaction::Sync::disk);
  if (!transaction) return tl::make_unexpected(transaction.error());
  Statement update(database, "UPDATE dead_letter SET topic = ?, payload = ? WHERE number = ?");
  update.bind(topic).bind_blob(payload).bind(number);
  if (auto done = update.finish("write"); !done) return done;
  if (database.changes() == 0) return fail("there is no dead letter {}", number);
  return transaction->commit();
}

Result<> DeadLetters::drop(std::int64_t number) {
  MutexLock lock(file_.mutex());
  Database& database = file_.database();
  auto transaction = Transaction::begin(database, Transaction::Sync::disk);
  if (!transaction) return tl::make_unexpected(transaction.error());
  Statement remove(database, "DELETE FROM dead_letter WHERE number = ?");
  if (auto done = remove.bind(number).finish("write"); !done) return done;
  if (database.changes() == 0) return fail("there is no dead letter {}", number);
  return transaction->commit();
}

// It is read outside of the lock.
Result<std::optional<StoredMessage>> DeadLetters::replay(std::int64_t number) {
  auto letter = find(number);
  if (!letter) return tl::make_unexpected(letter.error());
  if (!*letter) return std::nullopt;
  const DeadLetter& dead = **letter;
  StoredMessage message{.message_id = dead.message_id,
                        .trigger = dead.trigger,
                        .topic = dead.topic,
                        .payload = dead.payload,
                        .qos = dead.qos,
                        .retained = dead.retained,
                        .received = dead.received,
                        .properties = dead.properties};
  MutexLock lock(file_.mutex());
  Database& database = file_.database();
  auto transaction = Transaction::begin(database, Transaction::Sync::disk);
  if (!transaction) return tl::make_unexpected(transaction.error());
  Statement remove(database, "DELETE FROM dead_letter WHERE number = ?");
  if (auto done = remove.bind(number).finish("write"); !done) {
    return tl::make_unexpected(done.error());
  }
  if (database.changes() == 0) return std::nullopt;  // somebody was quicker
  auto added = MessageInsert(database).run(view_of(message), file_.row_clock());
  if (!added) return tl::make_unexpected(added.error());
  message.number = *added;
  if (auto done = transaction->commit(); !done) return tl::make_unexpected(done.error());
  return message;
}

// ---- Read by the page ----

// The numbers of a page, and then its rows: all from indexes, since a row has its payload in the
// way.
Result<std::vector<DeadLetter>> DeadLetters::page(const DeadLetterSelection& selection,
                                                  std::int64_t beyond, bool oldest_first,
                                                  std::size_t limit, std::size_t payload_bytes) {
  MutexLock lock(file_.listing().mutex());
  auto reader = file_.listing().database();
  if (!reader) return tl::make_unexpected(reader.error());
  const char* const direction = oldest_first ? "ASC" : "DESC";
  Statement query(
      **reader,
      fmt::format("SELECT {0} FROM dead_letter INDEXED BY dead_letter_listed WHERE number IN"
                  " (SELECT number FROM dead_letter INDEXED BY {1} WHERE {2} AND number {3} ?5"
                  "  ORDER BY number {4} LIMIT ?6) ORDER BY number {4}",
                  kDeadLetterColumns,
                  selection.trigger.empty() ? "dead_letter_listed" : "dead_letter_by_trigger",
                  let_through(selection), oldest_first ? ">" : "<", direction));
  bind(query, selection);
  query.bind(beyond).bind(static_cast<std::int64_t>(limit));
  std::vector<DeadLetter> letters;
  while (query.step()) {
    // Under the same snapshot as the row, which therefore is there.
    letters.push_back(dead_letter_of(query));
    if (!read_payload(**reader, letters.back(), payload_bytes)) {
      return tl::make_unexpected((*reader)->error("read"));
    }
  }
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return letters;
}

Result<std::optional<DeadLetter>> DeadLetters::find(std::int64_t number,
                                                    std::size_t payload_bytes) {
  auto found = page({.up_to = number}, number - 1, true, 1, payload_bytes);
  if (!found) return tl::make_unexpected(found.error());
  if (found->empty()) return std::nullopt;
  return std::move(found->front());
}

Result<std::uint64_t> DeadLetters::count(const DeadLetterSelection& selection) {
  MutexLock lock(file_.listing().mutex());
  auto reader = file_.listing().database();
  if (!reader) return tl::make_unexpected(reader.error());
  Statement query(**reader,
                  fmt::format("SELECT COUNT(*) FROM dead_letter INDEXED BY dead_letter_by_trigger"
                              " WHERE {}",
                              let_through(selection)));
  bind(query, selection);
  std::uint64_t count = 0;
  if (query.step()) count = static_cast<std::uint64_t>(query.number(0));
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return count;
}

}  // namespace triggerd::inbox
