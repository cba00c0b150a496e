// The part of Inbox that whoever administers the runtime looks at: figures, and dead letters by the
// page.
#include "inbox/database.hpp"
#include "inbox/inbox.hpp"
#include "inbox/letter_row.hpp"

namespace triggerd::inbox {
namespace {

constexpr std::string_view kLetThrough =
    " (?1 = '' OR trigger_name = ?1) AND died_ms >= ?2 AND died_ms < ?3 AND number <= ?4";
constexpr std::int64_t kLatest = INT64_MAX;

void bind(Statement& query, const DeadLetterSelection& selection) {
  query.bind(selection.trigger)
      .bind(selection.since ? to_ms(*selection.since) : std::int64_t{0})
      .bind(selection.until ? to_ms(*selection.until) : kLatest)
      .bind(selection.up_to);
}

}  // namespace

Result<std::vector<DeadLetter>> Inbox::dead_letters(const DeadLetterSelection& selection,
                                                    std::int64_t beyond, bool oldest_first,
                                                    std::size_t limit) {
  MutexLock lock(mutex_);
  Statement query(*database_, fmt::format("SELECT {} FROM dead_letter WHERE {} AND number {} ?5"
                                          " ORDER BY number {} LIMIT ?6",
                                          kDeadLetterColumns, kLetThrough, oldest_first ? ">" : "<",
                                          oldest_first ? "ASC" : "DESC"));
  bind(query, selection);
  query.bind(beyond).bind(static_cast<std::int64_t>(limit));
  std::vector<DeadLetter> letters;
  while (query.step()) letters.push_back(dead_letter_of(query));
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return letters;
}

Result<std::uint64_t> Inbox::count_dead_letters(const DeadLetterSelection& selection) {
  MutexLock lock(mutex_);
  Statement query(*database_,
                  fmt::format("SELECT COUNT(*) FROM dead_letter WHERE {}", kLetThrough));
  bind(query, selection);
  std::uint64_t count = 0;
  if (query.step()) count = static_cast<std::uint64_t>(query.number(0));
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return count;
}

// Counting walks an index; the oldest row of each trigger is looked up by its number.
Result<Figures> Inbox::figures() {
  MutexLock lock(reader_mutex_);
  if (!reader_) {
    bool damaged = false;
    auto opened = Database::open(file_, vfs_, damaged);
    if (!opened) return tl::make_unexpected(opened.error());
    if (auto set = (*opened)->execute("PRAGMA query_only = ON"); !set) {
      return tl::make_unexpected(set.error());
    }
    reader_ = *std::move(opened);
  }
  Figures figures;
  Statement messages(*reader_,
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
  Statement letters(*reader_,
                    "SELECT trigger_name, COUNT(*) FROM dead_letter GROUP BY trigger_name");
  while (letters.step()) {
    figures.triggers[letters.text(0)].dead_letters = static_cast<std::uint64_t>(letters.number(1));
  }
  if (auto read = letters.finish("read"); !read) return tl::make_unexpected(read.error());
  Statement size(*reader_,
                 "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()");
  if (size.step()) figures.bytes = static_cast<std::uint64_t>(size.number(0));
  if (auto read = size.finish("read"); !read) return tl::make_unexpected(read.error());
  return figures;
}

}  // namespace triggerd::inbox
