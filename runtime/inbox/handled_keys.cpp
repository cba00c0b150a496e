#include "inbox/handled_keys.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "inbox/inbox_file.hpp"

namespace triggerd::inbox {
namespace {

constexpr std::int64_t kDropAtOnce = 16'384;

}  // namespace

Result<std::shared_ptr<KeyList>> HandledKeys::of(std::string_view trigger, KeyLimits limits,
                                                 Monotonic now) {
  MutexLock lock(mutex_);
  if (const auto found = lists_.find(trigger); found != lists_.end()) {
    found->second->set_limits(limits);
    return found->second;
  }
  auto loaded = load(trigger, limits, now);
  if (loaded) lists_.emplace(trigger, *loaded);
  return loaded;
}

Result<std::shared_ptr<KeyList>> HandledKeys::load(std::string_view trigger, KeyLimits limits,
                                                   Monotonic now) {
  MutexLock lock(file_.mutex());
  Database& database = file_.database();
  std::int64_t id = 0;
  {
    Statement query(database, "SELECT list FROM key_list WHERE trigger_name = ?");
    if (query.bind(trigger).step()) id = query.number(0);
    if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  }
  if (id == 0) {
    // A key that is on the disk has this before it.
    auto transaction = Transaction::begin(database, Transaction::Sync::process);
    if (!transaction) return tl::make_unexpected(transaction.error());
    Statement insert(database, "INSERT INTO key_list (trigger_name) VALUES (?)");
    if (auto done = insert.bind(trigger).finish("write"); !done) {
      return tl::make_unexpected(done.error());
    }
    id = database.last_row();
    if (auto done = transaction->commit(); !done) return tl::make_unexpected(done.error());
  }
  auto list = std::make_shared<KeyList>(id, limits);
  Statement query(database,
                  "SELECT number, key, handled_ms + shifted_ms FROM handled_key"
                  " JOIN key_list USING (list) WHERE list = ? ORDER BY number");
  query.bind(id);
  while (query.step()) {
    const std::string bytes = query.text(1);
    HandledKey key{.list = id, .number = query.number(0)};
    if (bytes.size() != key.key.size()) continue;  // never written by this runtime
    std::copy(bytes.begin(), bytes.end(), key.key.begin());
    key.handled = file_.row_clock().time_of_row(query.number(2));
    list->restore(key, now);
  }
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return list;
}

Result<bool> HandledKeys::remove_forgotten(Monotonic now) {
  std::vector<KeyList::Removal> removals;
  {
    MutexLock lock(mutex_);
    for (const auto& [trigger, list] : lists_) {
      if (const auto removal = list->take_removal(now)) removals.push_back(*removal);
    }
  }
  if (removals.empty()) return false;
  MutexLock lock(file_.mutex());
  Database& database = file_.database();
  auto transaction = Transaction::begin(database, Transaction::Sync::process);
  if (!transaction) return tl::make_unexpected(transaction.error());
  for (const KeyList::Removal& removal : removals) {
    Statement rows(database, "DELETE FROM handled_key WHERE list = ? AND number <= ?");
    if (auto done = rows.bind(removal.list).bind(removal.up_to).finish("write"); !done) {
      return tl::make_unexpected(done.error());
    }
  }
  if (auto done = transaction->commit(); !done) return tl::make_unexpected(done.error());
  return true;
}

Result<> HandledKeys::keep_only(const std::function<bool(std::string_view trigger)>& is_wanted) {
  MutexLock lock(mutex_);
  std::vector<std::int64_t> unwanted;
  {
    MutexLock file_lock(file_.mutex());
    Statement query(file_.database(), "SELECT list, trigger_name FROM key_list");
    while (query.step()) {
      if (!is_wanted(query.text(1))) unwanted.push_back(query.number(0));
    }
    if (auto read = query.finish("read"); !read) return read;
  }
  std::erase_if(lists_, [&](const auto& entry) { return !is_wanted(entry.first); });
  for (const std::int64_t list : unwanted) {
    if (auto done = drop(list); !done) return done;
  }
  return {};
}

Result<> HandledKeys::drop(std::int64_t list) {
  for (bool all = false; !all;) {
    MutexLock lock(file_.mutex());
    Database& database = file_.database();
    auto transaction = Transaction::begin(database, Transaction::Sync::process);
    if (!transaction) return tl::make_unexpected(transaction.error());
    Statement keys(database,
                   "DELETE FROM handled_key WHERE list = ?1 AND number < ?2 +"
                   " (SELECT MIN(number) FROM handled_key WHERE list = ?1)");
    if (auto done = keys.bind(list).bind(kDropAtOnce).finish("write"); !done) return done;
    Statement left(database, "SELECT 1 FROM handled_key WHERE list = ? LIMIT 1");
    all = !left.bind(list).step();
    if (all) {
      // What the writer still has of it is of no list from now on.
      Statement row(database, "DELETE FROM key_list WHERE list = ?");
      if (auto done = row.bind(list).finish("write"); !done) return done;
    }
    left.reset();
    if (auto done = transaction->commit(); !done) return done;
  }
  return {};
}

}  // namespace triggerd::inbox
