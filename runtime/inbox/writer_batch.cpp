// The writer: one batch after another, portion by portion, and what room there is for them.
#include <algorithm>
#include <chrono>
#include <span>

#include "base/units.hpp"
#include "inbox/inbox_file.hpp"
#include "inbox/writer_statements.hpp"

namespace triggerd::inbox {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
// At once, where the volume has much left.
constexpr std::uint64_t kMostBytes = 16ULL << 20;
constexpr std::uint64_t kShareOfRoom = 16;
// A removal changes a few pages: of the row, of indexes, of the list of free pages.
constexpr std::uint64_t kBytesOfRemoval = 4 * kPageBytes;
constexpr std::uint64_t kBytesOfNote = 2 * kPageBytes;
constexpr std::size_t kFewRemovals = 16;
// Beside topic and payload.
constexpr std::uint64_t kBytesOfRow = 512;
// Receiving pauses when the volume has so many portions left, beside what the WAL works in.
constexpr std::uint64_t kKept = 4;
// Receiving goes on when a tenth of max_size has become free.
constexpr double kSizeHysteresis = 0.9;
// While a reader holds the WAL.
constexpr Millis kTrimAgain{250};
// Where the rows did not follow a clock that was set.
constexpr Millis kClockAgain{60'000};

// In the file: a row that is not small has pages of its own.
std::uint64_t bytes_of_row(std::uint64_t content) {
  const std::uint64_t bytes = content + kBytesOfRow;
  return content < kPageBytes / 4 ? bytes : (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
}

std::uint64_t minus(std::uint64_t a, std::uint64_t b) {
  return a - std::min(a, b);
}

Result<> write_id(Statement& statement, const PacketKey& key, std::string_view message_id) {
  statement.reset().bind_view(key.client_id).bind(std::int64_t{key.packet_id});
  return statement.bind_view(message_id).finish("write");
}

Result<> remove_id(Statement& statement, const PacketKey& key) {
  return statement.reset()
      .bind_view(key.client_id)
      .bind(std::int64_t{key.packet_id})
      .finish("write");
}

}  // namespace

// ---- Portions ----

Writer::Verdict Writer::write(Batch& batch) {
  do {
    if (auto verdict = write_portion(batch); verdict.kind != Kind::none) return verdict;
  } while (!batch.is_done());
  return {};
}

Writer::Verdict Writer::write_portion(Batch& batch) {
  const Monotonic began = now();
  Portion portion;
  {
    MutexLock lock(file_.mutex());
    if (batch.is_done()) return {};
    if (auto verdict = prepare(); verdict.kind != Kind::none) return verdict;
    // Others may have made room meanwhile.
    if (told_ != Kind::none) measure();
    portion = next_portion(batch);
    if (portion.operations == batch.next && !portion.writes()) {
      shrink_file();
      return no_room();
    }
    const Result<> done = portion.writes() ? transact(batch, portion) : Result<>();
    for (const Written& w : portion.written) {
      if (done) {
        w.accept->entry->written(w.number);
      } else if (w.number) {
        w.accept->entry->not_written();
      }
    }
    if (!done) {
      statements_.reset();
      const bool full = done.error().code == Database::kNoRoom;
      if (full) make_room();
      return {full ? Kind::volume : Kind::failing, done.error().message};
    }
    if (portion.writes()) measure();
    trim_wal(cramped_ ? 0 : kUntrimmed * portion_);
  }
  end_portion(batch, portion, now() - began);
  return {};
}

Writer::Portion Writer::next_portion(Batch& batch) {
  Portion portion;
  const std::uint64_t removals = (cramped_ ? portion_ : bytes_at_once()) / kBytesOfRemoval;
  portion.removals = std::min(batch.notes.removals.size(),
                              std::max(static_cast<std::size_t>(removals), kFewRemovals));
  portion.operations = batch.next;
  if (!cramped_ && !wal_is_too_large()) {
    const std::size_t notes = bytes_at_once() / kBytesOfNote;
    for (const auto& [key, digest] : batch.notes.retained) {
      if (portion.retained.size() == notes) break;
      portion.retained.emplace(key, digest);
    }
    for (const auto& note : batch.notes.attempts) {
      if (portion.attempts.size() == notes) break;
      portion.attempts.emplace_back(note);
    }
  }
  add_operations(batch, portion);
  return portion;
}

void Writer::add_operations(Batch& batch, Portion& portion) {
  const std::uint64_t limit = bytes_at_once();
  std::uint64_t bytes = 0;
  for (; portion.operations < batch.operations.size(); ++portion.operations) {
    Operation& operation = batch.operations[portion.operations];
    auto* const accept = std::get_if<Accept>(&operation);
    std::uint64_t more = 0;
    bool wanted = false;
    if (accept != nullptr) {
      wanted = accept->entry->begin_write();
      if (wanted) {
        const MessageView view = accept->entry->view();
        more = bytes_of_row(view.topic.size() + view.payload.size() +
                            (view.properties ? view.properties->size() : 0));
      }
      if (accept->key) more += kBytesOfRow;
    } else if (std::holds_alternative<KeepId>(operation)) {
      more = kBytesOfRow;
    }
    const bool fits = more == 0 || (may_add(bytes + more) && (bytes == 0 || bytes + more <= limit));
    if (!fits) {
      if (wanted) accept->entry->not_written();
      return;
    }
    bytes += more;
    if (accept != nullptr) {
      // The number is given by the insert; until then it only says that there will be one.
      portion.written.push_back({accept, wanted ? std::optional<std::int64_t>(0) : std::nullopt});
      portion.writes_message = portion.writes_message || wanted || accept->key;
    } else {
      portion.writes_message = true;
    }
  }
}

// Within the inbox's lock, so that nobody else moves a message meanwhile.
Result<> Writer::transact(Batch& batch, Portion& portion) {
  Database& database = file_.database();
  // Removals too: after an fsync that failed, transactions without one may cost those with one.
  auto transaction = Transaction::begin(database, sync());
  if (!transaction) return tl::make_unexpected(transaction.error());
  if (!statements_) statements_ = std::make_unique<Statements>(database);
  Statements& sql = *statements_;
  // First, since it makes room.
  if (auto done = write_notes(batch, portion); !done) return done;
  auto next_written = portion.written.begin();
  for (std::size_t i = batch.next; i < portion.operations; ++i) {
    Operation& operation = batch.operations[i];
    Result<> done;
    if (auto* accept = std::get_if<Accept>(&operation)) {
      Written& w = *next_written++;
      if (accept->key) {
        done = write_id(sql.keep_id, *accept->key, accept->entry->view().message_id);
      }
      if (done && w.number) {
        auto row = sql.insert.run(accept->entry->view(), file_.row_clock());
        if (!row) return tl::make_unexpected(row.error());
        w.number = *row;
      }
    } else if (const auto* keep = std::get_if<KeepId>(&operation)) {
      done = write_id(sql.keep_id, keep->key, keep->message_id);
    } else {
      done = remove_id(sql.forget_id, std::get<ForgetId>(operation).key);
    }
    if (!done) return done;
  }
  return transaction->commit();
}

Result<> Writer::write_notes(const Batch& batch, const Portion& portion) {
  Statements& sql = *statements_;
  for (const auto& [key, digest] : portion.retained) {
    sql.retained.reset().bind_view(key.first).bind_view(key.second).bind_view(digest);
    if (auto done = sql.retained.finish("write"); !done) return done;
  }
  const std::size_t left = batch.notes.removals.size() - portion.removals;
  for (std::size_t i = left; i < batch.notes.removals.size(); ++i) {
    if (auto done = sql.remove.reset().bind(batch.notes.removals[i]).finish("write"); !done)
      return done;
  }
  for (const auto& [number, attempts] : portion.attempts) {
    sql.attempted.reset().bind(std::int64_t{attempts}).bind(number);
    if (auto done = sql.attempted.finish("write"); !done) return done;
  }
  return {};
}

PacketIdWaiter* Writer::waiter_of(const Operation& operation) {
  if (const auto* const keep = std::get_if<KeepId>(&operation)) return keep->waiter.get();
  if (const auto* const forget = std::get_if<ForgetId>(&operation)) return forget->waiter.get();
  return nullptr;
}

void Writer::end_portion(Batch& batch, const Portion& portion, std::chrono::nanoseconds took) {
  const std::span operations(batch.operations.begin() + static_cast<std::ptrdiff_t>(batch.next),
                             portion.operations - batch.next);
  for (const Operation& operation : operations) {
    if (PacketIdWaiter* const waiter = waiter_of(operation)) waiter->done();
  }
  for (const Written& w : portion.written) w.accept->entry->flush_acknowledgement();
  for (const Operation& operation : operations) {
    if (PacketIdWaiter* const waiter = waiter_of(operation)) waiter->flush_acknowledgement();
  }
  batch.next = portion.operations;
  batch.notes.removals.resize(batch.notes.removals.size() - portion.removals);
  for (const auto& [key, digest] : portion.retained) batch.notes.retained.erase(key);
  for (const auto& [number, attempts] : portion.attempts) batch.notes.attempts.erase(number);

  const auto stored = static_cast<std::size_t>(
      std::count_if(portion.written.begin(), portion.written.end(),
                    [](const Written& w) { return w.number.has_value(); }));
  MutexLock lock(mutex_);
  stats_.messages += stored;
  stats_.finished += portion.written.size() - stored;
  if (!portion.writes_message) return;
  ++stats_.batches;
  stats_.commit_time += took;
  commit_times_.add(static_cast<std::uint64_t>(took.count()));
  batch_sizes_.add(stored);
}

// ---- Room ----

void Writer::begin() {
  // SQLite's own checkpoints, which move what they can whoever reads.
  (void)file_.database().execute(fmt::format("PRAGMA wal_autocheckpoint = {}",
                                             std::max<std::uint64_t>(portion_ / kPageBytes, 1)));
  cramped_ = !room_.reserve();
  measure();
}

Writer::Verdict Writer::prepare() {
  const auto kept = file_.keep();
  if (!kept || !kept->empty()) statements_.reset();  // they are of a connection that is closed
  if (!kept) return {Kind::lost, kept.error().message};
  if (!kept->empty()) {
    begin();
    if (options_.mended) options_.mended(*kept);
  }
  // Where the rows cannot follow now, times go on to be counted from where it was.
  if (now() >= clock_at_ && !file_.row_clock().follow(file_.database(), sync())) {
    clock_at_ = now() + kClockAgain;
  }
  if (cramped_ || !room_.is_reserved()) cramped_ = !room_.reserve();
  if (wal_is_held_) trim_wal(kUntrimmed * portion_);
  return {};
}

void Writer::measure() {
  Database& database = file_.database();
  std::uint64_t values[3] = {};
  const char* const pragmas[3] = {"PRAGMA page_count", "PRAGMA freelist_count", "PRAGMA page_size"};
  for (int i = 0; i < 3; ++i) {
    Statement query(database, pragmas[i]);
    if (query.step()) values[i] = static_cast<std::uint64_t>(query.number(0));
    (void)query.finish("read");
  }
  const std::uint64_t whole = values[0] * values[2];
  space_.wal = database.wal_bytes();
  space_.free = std::min(values[0], values[1]) * values[2];
  space_.used = whole - space_.free + space_.wal;
  const auto available = room_.available();
  space_.known = available.has_value();
  space_.available = minus(available.value_or(0), minus(whole, database.file_bytes()));
  limit_ = options_.max_size;
  if (space_.known) {
    const std::uint64_t more =
        minus(left_for_wal() + space_.free, room_.working() + kKept * room_.portion());
    limit_ = std::min(options_.max_size, space_.used - space_.wal + more);
  }
}

std::uint64_t Writer::bytes_at_once() const {
  if (!space_.known) return kMostBytes;
  return std::clamp(space_.available / kShareOfRoom, portion_, kMostBytes);
}

bool Writer::wal_is_too_large() const {
  return wal_is_held_ && space_.wal > wal_limit_;
}

std::uint64_t Writer::left_for_wal() const {
  return space_.available + (wal_is_held_ ? 0 : space_.wal);
}

// Whatever is added leaves enough for the WAL to work in; and what makes the file larger, so much
// that as much can be added again once that is free, as the file does not become smaller.
bool Writer::may_add(std::uint64_t bytes) const {
  if (cramped_ || wal_is_too_large()) return false;
  if (!space_.known) return true;
  const std::uint64_t growth = minus(bytes, space_.free);
  const std::uint64_t portion = room_.portion();
  const std::uint64_t wal = growth == 0 ? bytes : std::max(bytes, portion) + 2 * portion;
  return left_for_wal() >= growth + wal + room_.working();
}

Writer::Verdict Writer::no_room() const {
  if (wal_is_too_large()) {
    return {
        Kind::reader,
        fmt::format("somebody who reads inbox.db keeps its WAL from being used again: it has {} "
                    "bytes; end that program, or its transaction",
                    space_.wal)};
  }
  return {Kind::volume,
          fmt::format("the volume of {} is full but for what the inbox needs to work: {} bytes are "
                      "left",
                      file_.folder().string(), space_.available)};
}

// The volume was full. The reserve is given up for a checkpoint, so that the WAL can be used again.
void Writer::make_room() {
  cramped_ = true;
  room_.release();
  checkpoint();
  shrink_file();
}

// Where the file is mostly free, and little is left beside it, that is given back to the volume.
void Writer::shrink_file() {
  if (space_.free <= space_.used || space_.used >= left_for_wal() / 2) return;
  // All of it goes through the WAL, which does not become smaller while somebody holds it.
  checkpoint();
  if (wal_is_held_) return;
  (void)file_.database().execute("PRAGMA temp_store = MEMORY; VACUUM");
  checkpoint();
}

void Writer::checkpoint() {
  const auto done = file_.database().checkpoint();
  wal_is_held_ = done == Database::Checkpoint::held;
  trim_at_ = done == Database::Checkpoint::done ? Monotonic() : now() + kTrimAgain;
  measure();
}

void Writer::trim_wal(std::uint64_t allowed) {
  if (space_.wal <= allowed) {
    wal_is_held_ = false;
    return;
  }
  if (now() >= trim_at_) checkpoint();
}

// As of the last measure().
Writer::Verdict Writer::find_trouble() {
  trim_wal(kUntrimmed * portion_);
  const auto size_limit =
      over_size_
          ? static_cast<std::uint64_t>(static_cast<double>(options_.max_size) * kSizeHysteresis)
          : options_.max_size;
  if (space_.used > size_limit) trim_wal(0);
  over_size_ = space_.used > size_limit;
  if (space_.known) {
    const std::uint64_t portion = room_.portion();
    const std::uint64_t left = left_for_wal();
    const std::uint64_t more = low_ ? portion : 0;
    low_ = left + space_.free < room_.working() + kKept * portion + 2 * more ||
           left < room_.working() + portion + more;
  }
  if (cramped_ || low_ || wal_is_too_large()) return no_room();
  if (over_size_) {
    return {Kind::size,
            fmt::format("it holds {} bytes, over max_size ({})", space_.used, options_.max_size)};
  }
  return {};
}

}  // namespace triggerd::inbox
