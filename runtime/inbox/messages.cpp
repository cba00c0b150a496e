#include "inbox/messages.hpp"

#include "inbox/inbox_file.hpp"
#include "inbox/message_rows.hpp"

namespace triggerd::inbox {

Result<std::vector<StoredMessage>> Messages::page(std::string_view trigger, std::int64_t after,
                                                  std::size_t limit) {
  MutexLock lock(file_.mutex());
  Statement query(file_.database(),
                  fmt::format("SELECT {} FROM message WHERE trigger_name = ? AND number > ?"
                              " ORDER BY number LIMIT ?",
                              kMessageColumns));
  query.bind(trigger).bind(after).bind(static_cast<std::int64_t>(limit));
  std::vector<StoredMessage> found;
  while (query.step()) found.push_back(message_of(query, file_.row_clock()));
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return found;
}

Result<std::vector<std::pair<std::string, std::int64_t>>> Messages::counts() {
  MutexLock lock(file_.mutex());
  Statement query(file_.database(),
                  "SELECT trigger_name, count(*) FROM message GROUP BY trigger_name"
                  " ORDER BY trigger_name");
  std::vector<std::pair<std::string, std::int64_t>> found;
  while (query.step()) found.emplace_back(query.text(0), query.number(1));
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return found;
}

}  // namespace triggerd::inbox
