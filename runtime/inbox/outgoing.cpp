#include "inbox/outgoing.hpp"

#include "inbox/inbox_file.hpp"
#include "inbox/outgoing_rows.hpp"
#include "inbox/reader.hpp"

namespace triggerd::inbox {
namespace {

// Removed in one transaction.
constexpr std::int64_t kAtOnce = 2'000;

constexpr std::string_view kTotal =
    "SELECT COUNT(*), COALESCE(SUM(LENGTH(CAST(topic AS BLOB)) + LENGTH(payload) +"
    " LENGTH(COALESCE(properties, x''))), 0), COALESCE(MAX(number), 0), MIN(kept_ms) FROM outgoing"
    " WHERE alias = ? AND number > ? AND number <= ?";

Result<Outgoing::Total> total_of(Statement& query) {
  Outgoing::Total total;
  if (query.step()) {
    total.messages = static_cast<std::uint64_t>(query.number(0));
    total.bytes = static_cast<std::uint64_t>(query.number(1));
    total.last = query.number(2);
    if (!query.is_null(3)) total.oldest = from_ms(query.number(3));
  }
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return total;
}

}  // namespace

Result<std::vector<OutgoingMessage>> Outgoing::page(std::string_view alias, std::int64_t after,
                                                    std::size_t limit, std::size_t bytes) {
  MutexLock lock(file_.mutex());
  Statement query(file_.database(), fmt::format("SELECT {} FROM outgoing WHERE alias = ? AND"
                                                " number > ? ORDER BY number LIMIT ?",
                                                kOutgoingColumns));
  query.bind(alias).bind(after).bind(static_cast<std::int64_t>(limit));
  std::vector<OutgoingMessage> found;
  std::size_t size = 0;
  while (size < bytes && query.step()) {
    found.push_back(outgoing_of(query, file_.row_clock()));
    size += found.back().topic.size() + found.back().payload.size();
  }
  if (size >= bytes) return found;
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return found;
}

Result<Outgoing::Total> Outgoing::total(std::string_view alias) {
  MutexLock lock(file_.mutex());
  Statement query(file_.database(), kTotal);
  query.bind(alias).bind(std::int64_t{0}).bind(INT64_MAX);
  auto total = total_of(query);
  if (!total || total->messages == 0) return total;
  Statement last(file_.database(), "SELECT packet_id FROM outgoing WHERE number = ?");
  last.bind(total->last);
  if (last.step()) total->last_packet_id = static_cast<std::uint16_t>(last.number(0));
  if (auto read = last.finish("read"); !read) return tl::make_unexpected(read.error());
  return total;
}

Result<std::vector<std::pair<std::string, std::int64_t>>> Outgoing::counts() {
  MutexLock lock(file_.mutex());
  Statement query(file_.database(),
                  "SELECT alias, COUNT(*) FROM outgoing GROUP BY alias ORDER BY alias");
  std::vector<std::pair<std::string, std::int64_t>> found;
  while (query.step()) found.emplace_back(query.text(0), query.number(1));
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return found;
}

Result<std::vector<std::uint16_t>> Outgoing::awaiting_pubcomp(std::string_view client_id) {
  MutexLock lock(file_.mutex());
  Statement query(file_.database(), "SELECT packet_id FROM awaiting_pubcomp WHERE client_id = ?");
  query.bind(client_id);
  std::vector<std::uint16_t> found;
  while (query.step()) found.push_back(static_cast<std::uint16_t>(query.number(0)));
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return found;
}

Result<std::vector<Outgoing::Listed>> Outgoing::oldest(std::string_view alias, std::size_t limit,
                                                       std::size_t payload_bytes) {
  Reader& reader = file_.listing();
  MutexLock lock(reader.mutex());
  auto database = reader.database();
  if (!database) return tl::make_unexpected(database.error());
  Statement query(**database,
                  "SELECT number, topic, SUBSTR(payload, 1, ?), LENGTH(payload), qos, retained,"
                  " kept_ms FROM outgoing WHERE alias = ? ORDER BY number LIMIT ?");
  query.bind(static_cast<std::int64_t>(payload_bytes)).bind(alias);
  query.bind(static_cast<std::int64_t>(limit));
  std::vector<Listed> found;
  while (query.step()) {
    found.push_back({.message = {.number = query.number(0),
                                 .topic = query.text(1),
                                 .payload = query.text(2),
                                 .qos = static_cast<int>(query.number(4)),
                                 .retained = query.number(5) != 0,
                                 .kept = from_ms(query.number(6))},
                     .payload_size = static_cast<std::uint64_t>(query.number(3))});
  }
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return found;
}

Result<Outgoing::Total> Outgoing::clear(std::string_view alias, std::int64_t after,
                                        std::int64_t up_to) {
  Total removed;
  for (;;) {
    auto some = remove_some(alias, after, up_to, false);
    if (!some) return some;
    if (some->messages == 0) return removed;
    removed.messages += some->messages;
    removed.bytes += some->bytes;
  }
}

Result<Outgoing::Total> Outgoing::expire(std::string_view alias, std::int64_t after,
                                         std::int64_t up_to) {
  return remove_some(alias, after, up_to, true);
}

Result<Outgoing::Total> Outgoing::remove_some(std::string_view alias, std::int64_t after,
                                              std::int64_t up_to, bool only_expired) {
  MutexLock lock(file_.mutex());
  Database& database = file_.database();
  const std::int64_t until = only_expired ? file_.row_clock().row_now() : 0;
  auto transaction = Transaction::begin(database, Transaction::Sync::disk);
  if (!transaction) return tl::make_unexpected(transaction.error());
  Statement statement(
      database,
      fmt::format("DELETE FROM outgoing WHERE number IN (SELECT number FROM outgoing WHERE"
                  " alias = ? AND number > ? AND number <= ?{} LIMIT ?) RETURNING"
                  " LENGTH(CAST(topic AS BLOB)) + LENGTH(payload) +"
                  " LENGTH(COALESCE(properties, x''))",
                  only_expired ? " AND expires_ms <= ?" : ""));
  statement.bind(alias).bind(after).bind(up_to);
  if (only_expired) statement.bind(until);
  statement.bind(kAtOnce);
  Total total;
  while (statement.step()) {
    ++total.messages;
    total.bytes += static_cast<std::uint64_t>(statement.number(0));
  }
  if (auto done = statement.finish("write"); !done) return tl::make_unexpected(done.error());
  if (total.messages == 0) return total;
  if (auto done = transaction->commit(); !done) return tl::make_unexpected(done.error());
  return total;
}

}  // namespace triggerd::inbox
