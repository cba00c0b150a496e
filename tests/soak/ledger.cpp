#include "soak/ledger.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sqlite3.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "support/sqlite_connection.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::soak {
namespace {

struct Close {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

std::string blob(sqlite3_stmt* row, int column) {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(row, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(row, column));
  return bytes == nullptr ? std::string() : std::string(bytes, size);
}

}  // namespace

void Ledger::read_records() {
  std::ifstream in(records_, std::ios::binary);
  if (!in.seekg(read_until_)) return;
  std::ostringstream all;
  all << in.rdbuf();
  const std::string news = all.str();
  read_until_ += static_cast<std::streamoff>(news.size());
  rest_ += news;
  std::size_t begin = 0;
  for (std::size_t end; (end = rest_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    if (end > begin) read_line(rest_.substr(begin, end - begin));
  }
  rest_.erase(0, begin);
}

void Ledger::read_line(const std::string& line) {
  std::string topic, number, id, verdict;
  unsigned attempt = 0;
  Numbered message;
  std::istringstream in(line);
  if (!(in >> topic >> number >> id >> attempt >> verdict) || !verdict.ends_with(';')) {
    ++totals_.torn_lines;
    return;
  }
  ++totals_.calls;
  if (verdict == "corrupt;" ||
      std::sscanf(topic.c_str(), "soak/%u/%u", &message.qos, &message.stream) != 2) {
    corrupt_.push_back("called with " + line);
    return;
  }
  message.number = static_cast<unsigned>(std::stoul(number));
  Entry& entry = entries_[key_of(message)];
  add_id(entry, id);
  if (verdict == "ok;") ++entry.oks;
  if (verdict == "exception;") ++totals_.exceptions;
  if (verdict == "retry;") ++totals_.retries;
}

void Ledger::read_dead_letters(const std::filesystem::path& inbox) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(inbox.c_str(), &opened, SQLITE_OPEN_READWRITE, nullptr);
  const std::unique_ptr<sqlite3, Close> database(opened);
  sqlite3_stmt* prepared = nullptr;
  if (code == SQLITE_OK) {
    sqlite3_busy_timeout(opened, 10'000);
    sqlite3_prepare_v2(opened, "SELECT number, message_id, topic, payload FROM dead_letter", -1,
                       &prepared, nullptr);
  }
  const std::unique_ptr<sqlite3_stmt, Close> rows(prepared);
  int step = prepared == nullptr ? SQLITE_ERROR : SQLITE_ROW;
  while (step == SQLITE_ROW && (step = sqlite3_step(prepared)) == SQLITE_ROW) {
    if (!letters_.insert(sqlite3_column_int64(prepared, 0)).second) continue;
    const std::string topic = blob(prepared, 2);
    const auto message = read_message(topic, blob(prepared, 3));
    if (!message) {
      corrupt_.push_back("a dead letter of " + topic);
      continue;
    }
    Entry& entry = entries_[key_of(*message)];
    entry.dead = true;
    add_id(entry, blob(prepared, 1));
    ++totals_.dead_letters;
    if (!is_to_be_rejected(*message)) ++totals_.unexpected_dead_letters;
  }
  if (step != SQLITE_DONE) {
    throw std::runtime_error("cannot read the dead letters: " +
                             std::string(sqlite3_errmsg(opened)));
  }
}

std::vector<Numbered> Ledger::missing(const std::vector<Numbered>& messages) const {
  std::vector<Numbered> found;
  for (const Numbered& message : messages) {
    const auto entry = entries_.find(key_of(message));
    if (entry == entries_.end() || (entry->second.oks == 0 && !entry->second.dead)) {
      found.push_back(message);
    }
  }
  return found;
}

// What was killed may have written last what is still in its WAL, which nobody else is to change.
void Ledger::read_accepted(const std::filesystem::path& inbox) {
  const test::TempDir copy;
  const auto options = std::filesystem::copy_options::overwrite_existing;
  for (const char* part : {"", "-wal"}) {
    const std::filesystem::path from = inbox.string() + part;
    if (std::filesystem::exists(from)) {
      std::filesystem::copy_file(from, (copy / "inbox.db").string() + part, options);
    }
  }
  const test::SqliteConnection database((copy / "inbox.db").string());
  const auto ids = database.rows(
      "SELECT message_id FROM awaiting_pubrel UNION SELECT message_id FROM message WHERE qos = 2");
  if (!ids) throw std::runtime_error("cannot read what the inbox has accepted");
  accepted_.insert(ids->begin(), ids->end());
}

void Ledger::add_id(Entry& entry, const std::string& id) {
  if (std::find(entry.ids.begin(), entry.ids.end(), id) == entry.ids.end()) {
    entry.ids.push_back(id);
  }
}

// A message goes to the service at once, and the inbox has it a moment later: one that is killed in
// between has accepted nothing, and the server sends the message to the next one.
bool Ledger::is_accepted_twice(const Entry& entry) const {
  std::set<std::string> runs;
  for (std::size_t i = 0; i < entry.ids.size(); ++i) {
    constexpr std::size_t kOfTheRun = 9;  // see dispatch/message_id.hpp
    if (!runs.insert(entry.ids[i].substr(0, kOfTheRun)).second) return true;
    if (i + 1 < entry.ids.size() && accepted_.count(entry.ids[i]) > 0) return true;
  }
  return false;
}

std::vector<std::string> Ledger::accepted_twice() const {
  std::vector<std::string> found;
  for (const auto& [key, entry] : entries_) {
    const auto [qos, stream, number] = key;
    if (qos != 2 || !is_accepted_twice(entry)) continue;
    found.push_back(fmt::format("{} number {}, as {}", topic_of({qos, stream, number}), number,
                                fmt::join(entry.ids, " and ")));
  }
  return found;
}

Totals Ledger::totals() const {
  Totals totals = totals_;
  for (const auto& [key, entry] : entries_) {
    if (entry.oks > 1) ++totals.handled_again[std::get<0>(key)];
    if (std::get<0>(key) == 2 && entry.ids.size() > 1) ++totals.taken_again;
  }
  return totals;
}

}  // namespace triggerd::soak
