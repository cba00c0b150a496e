// The part of Inbox that whoever administers the runtime looks at: figures, and dead letters by the
// page.
#include "inbox/database.hpp"
#include "inbox/inbox.hpp"
#include "inbox/letter_row.hpp"

namespace triggerd::inbox {
namespace {

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

}  // namespace

Result<Database*> Inbox::open_reader(Reader& reader) {
  if (reader.database) return reader.database.get();
  auto opened = Database::open_to_read(file_, vfs_);
  if (!opened) return tl::make_unexpected(opened.error());
  // Nothing has been read of it by now.
  if (reader.file && identity_of_file(file_) != reader.file) {
    return fail("{} is another file than the open one", file_.string());
  }
  reader.database = *std::move(opened);
  return reader.database.get();
}

// The numbers of a page, and then its rows: all from indexes, since a row has its payload in the
// way.
Result<std::vector<DeadLetter>> Inbox::dead_letters(const DeadLetterSelection& selection,
                                                    std::int64_t beyond, bool oldest_first,
                                                    std::size_t limit, std::size_t payload_bytes) {
  MutexLock lock(listing_.mutex);
  auto reader = open_reader(listing_);
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

Result<std::optional<DeadLetter>> Inbox::dead_letter(std::int64_t number,
                                                     std::size_t payload_bytes) {
  auto found = dead_letters({.up_to = number}, number - 1, true, 1, payload_bytes);
  if (!found) return tl::make_unexpected(found.error());
  if (found->empty()) return std::nullopt;
  return std::move(found->front());
}

Result<std::uint64_t> Inbox::count_dead_letters(const DeadLetterSelection& selection) {
  MutexLock lock(listing_.mutex);
  auto reader = open_reader(listing_);
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

// Counting walks an index; the oldest row of each trigger is looked up by its number.
Result<Figures> Inbox::figures() {
  MutexLock lock(counting_.mutex);
  auto reader = open_reader(counting_);
  if (!reader) return tl::make_unexpected(reader.error());
  Figures figures;
  Statement messages(**reader,
                     "SELECT counted.trigger_name, counted.n, message.received_ms FROM"
                     " (SELECT trigger_name, COUNT(*) AS n, MIN(number) AS first FROM message"
                     "  GROUP BY trigger_name) AS counted"
                     " JOIN message ON message.number = counted.first");
  while (messages.step()) {
    Figures::OfTrigger& of = figures.triggers[messages.text(0)];
    of.messages = static_cast<std::uint64_t>(messages.number(1));
    of.oldest = from_ms(messages.number(2));
  }
  if (auto read = messages.finish("read"); !read) return tl::make_unexpected(read.error());
  Statement letters(**reader,
                    "SELECT trigger_name, COUNT(*) FROM dead_letter GROUP BY trigger_name");
  while (letters.step()) {
    figures.triggers[letters.text(0)].dead_letters = static_cast<std::uint64_t>(letters.number(1));
  }
  if (auto read = letters.finish("read"); !read) return tl::make_unexpected(read.error());
  Statement size(**reader,
                 "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()");
  if (size.step()) figures.bytes = static_cast<std::uint64_t>(size.number(0));
  if (auto read = size.finish("read"); !read) return tl::make_unexpected(read.error());
  figures.bytes += (*reader)->wal_bytes();
  return figures;
}

}  // namespace triggerd::inbox
