#include "inbox/figures.hpp"

#include "inbox/reader.hpp"

namespace triggerd::inbox {

// Counting walks an index; the oldest row of each trigger is looked up by its number.
Result<Figures> count_all(Reader& counting) {
  MutexLock lock(counting.mutex());
  auto reader = counting.database();
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
