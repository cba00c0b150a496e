#include "inbox/batch_writer.hpp"

#include "inbox/inbox_file.hpp"
#include "inbox/message_rows.hpp"
#include "inbox/outgoing_rows.hpp"

namespace triggerd::inbox {
namespace {

// Where the rows did not follow a clock that was set.
constexpr Millis kClockAgain{60'000};

Result<> write_id(Statement& statement, const PacketKey& key, std::string_view message_id) {
  statement.reset().bind_view(key.client_id).bind(std::int64_t{key.packet_id});
  return statement.bind_view(message_id).finish("write");
}

// Inserts or deletes what is known by a packet id alone.
Result<> run_for(Statement& statement, const PacketKey& key) {
  return statement.reset()
      .bind_view(key.client_id)
      .bind(std::int64_t{key.packet_id})
      .finish("write");
}

}  // namespace

// Prepared, for as long as the connection lasts.
struct BatchWriter::Statements {
  explicit Statements(Database& database)
      : insert(database),
        keep_id(database,
                "INSERT OR REPLACE INTO awaiting_pubrel (client_id, packet_id, message_id)"
                " VALUES (?, ?, ?)"),
        forget_id(database, "DELETE FROM awaiting_pubrel WHERE client_id = ? AND packet_id = ?"),
        remove(database, "DELETE FROM message WHERE number = ?"),
        attempted(database, "UPDATE message SET attempts = ? WHERE number = ?"),
        retained(database,
                 "INSERT OR REPLACE INTO handled_retained (trigger_name, topic, sha256)"
                 " VALUES (?, ?, ?)"),
        keep(database),
        sent(database, "DELETE FROM outgoing WHERE number = ?"),
        await_pubcomp(database,
                      "INSERT OR REPLACE INTO awaiting_pubcomp (client_id, packet_id)"
                      " VALUES (?, ?)"),
        completed(database, "DELETE FROM awaiting_pubcomp WHERE client_id = ? AND packet_id = ?"),
        // Nothing, where the list has been dropped meanwhile.
        keep_key(database,
                 "INSERT OR REPLACE INTO handled_key (list, number, key, handled_ms)"
                 " SELECT list, ?2, ?3, ?4 - shifted_ms FROM key_list WHERE list = ?1"),
        forget_keys(database, "DELETE FROM handled_key WHERE list = ? AND number <= ?") {}

  MessageInsert insert;
  Statement keep_id;
  Statement forget_id;
  Statement remove;
  Statement attempted;
  Statement retained;
  OutgoingInsert keep;
  Statement sent;
  Statement await_pubcomp;
  Statement completed;
  Statement keep_key;
  Statement forget_keys;
};

BatchWriter::BatchWriter(InboxFile& file, Room& room, Transaction::Sync sync, Mended mended,
                         const Clock& clock)
    : file_(file), room_(room), sync_(sync), mended_(std::move(mended)), clock_(clock) {}

BatchWriter::~BatchWriter() {
  MutexLock lock(file_.mutex());  // others may be using the database
  statements_.reset();
}

WriteTrouble BatchWriter::prepare() {
  auto kept = file_.keep();
  if (!kept && kept.error().code == Database::kNoRoom) {
    room_.give_up_reserve();
    kept = file_.keep();  // before somebody else takes that room
  }
  if (!kept || !kept->empty()) statements_.reset();  // they are of a connection that is closed
  if (!kept) return {WriteTrouble::Kind::lost, kept.error().message};
  if (!kept->empty()) {
    room_.begin();
    if (mended_) mended_(*kept);
  }
  // Where the rows cannot follow now, times go on to be counted from where it was.
  if (clock_.now() >= clock_again_at_ && !file_.row_clock().follow(file_.database(), sync_)) {
    clock_again_at_ = clock_.now() + kClockAgain;
  }
  room_.prepare();
  return {};
}

BatchWriter::Outcome BatchWriter::write_portion(Batch& batch, bool measure) {
  const Monotonic began = clock_.now();
  Portion portion;
  Outcome outcome;
  {
    MutexLock lock(file_.mutex());
    if (batch.is_done()) return outcome;
    outcome.trouble = try_portion(batch, portion, measure);
    if (outcome.trouble) return outcome;
  }
  outcome.took = clock_.now() - began;
  portion.acknowledge();
  outcome.written = portion.written();
  outcome.finished = portion.rows.size() - outcome.written;
  outcome.has_row = portion.writes_row;
  batch.drop(portion);
  return outcome;
}

WriteTrouble BatchWriter::try_portion(Batch& batch, Portion& portion, bool measure) {
  if (auto trouble = prepare()) return trouble;
  if (measure) room_.measure();
  portion = batch.next_portion(room_.budget());
  if (portion.is_empty()) {
    room_.give_back();
    return room_.why_nothing_fits();
  }
  const Result<> done = portion.writes() ? transact(portion) : Result<>();
  portion.settle(done.has_value());
  if (!done) {
    statements_.reset();
    const bool full = done.error().code == Database::kNoRoom;
    if (full) room_.make_room();
    return {full ? WriteTrouble::Kind::volume : WriteTrouble::Kind::failing, done.error().message};
  }
  room_.after_transaction(portion.writes());
  return {};
}

// Within the inbox's lock, so that nobody else moves a message meanwhile.
Result<> BatchWriter::transact(Portion& portion) {
  Database& database = file_.database();
  // Removals too: after an fsync that failed, transactions without one may cost those with one.
  auto transaction = Transaction::begin(database, sync_);
  if (!transaction) return tl::make_unexpected(transaction.error());
  if (!statements_) statements_ = std::make_unique<Statements>(database);
  // Notes first, since removals make room.
  if (auto done = write_notes(portion); !done) return done;
  if (auto done = write_operations(portion); !done) return done;
  return transaction->commit();
}

Result<> BatchWriter::write_notes(const Portion& portion) {
  Statements& sql = *statements_;
  for (const auto& [key, digest] : portion.retained) {
    sql.retained.reset().bind_view(key.first).bind_view(key.second).bind_view(digest);
    if (auto done = sql.retained.finish("write"); !done) return done;
  }
  for (const std::int64_t number : portion.removals) {
    if (auto done = sql.remove.reset().bind(number).finish("write"); !done) return done;
  }
  for (const HandledRow& row : portion.handled) {
    if (auto done = write_key(row.key); !done) return done;
    if (auto done = sql.remove.reset().bind(row.number).finish("write"); !done) return done;
  }
  for (const auto& [number, attempts] : portion.attempts) {
    sql.attempted.reset().bind(std::int64_t{attempts}).bind(number);
    if (auto done = sql.attempted.finish("write"); !done) return done;
  }
  for (const std::int64_t number : portion.sent) {
    if (auto done = sql.sent.reset().bind(number).finish("write"); !done) return done;
  }
  for (const PacketKey& key : portion.completed) {
    if (auto done = run_for(sql.completed, key); !done) return done;
  }
  return {};
}

Result<> BatchWriter::write_operations(Portion& portion) {
  auto next_row = portion.rows.begin();
  for (const Operation& operation : portion.operations) {
    const bool has_record =
        std::holds_alternative<Accept>(operation) || std::holds_alternative<Keep>(operation);
    if (auto done = write_operation(operation, has_record ? &*next_row++ : nullptr); !done) {
      return done;
    }
  }
  return {};
}

// `row` is that of its record, if it has one.
Result<> BatchWriter::write_operation(const Operation& operation, Portion::Row* row) {
  Statements& sql = *statements_;
  if (const auto* accept = std::get_if<Accept>(&operation)) return write_message(*accept, *row);
  if (const auto* keep = std::get_if<Keep>(&operation)) return write_outgoing(*keep, *row);
  if (const auto* id = std::get_if<KeepId>(&operation)) {
    return write_id(sql.keep_id, id->key, id->message_id);
  }
  if (const auto* handled = std::get_if<KeepKey>(&operation)) return write_key(handled->key);
  if (const auto* release = std::get_if<ReleaseOutgoing>(&operation)) {
    return release_outgoing(*release);
  }
  return run_for(sql.forget_id, std::get<ForgetId>(operation).key);
}

Result<> BatchWriter::write_message(const Accept& accept, Portion::Row& row) {
  if (accept.key) {
    auto done = write_id(statements_->keep_id, *accept.key, accept.entry->view().message_id);
    if (!done) return done;
  }
  if (!row.number) {
    const HandledKey* const key = accept.entry->handled();
    return key == nullptr ? Result<>() : write_key(*key);
  }
  auto number = statements_->insert.run(accept.entry->view(), file_.row_clock());
  if (!number) return tl::make_unexpected(number.error());
  row.number = *number;
  return {};
}

Result<> BatchWriter::write_outgoing(const Keep& keep, Portion::Row& row) {
  if (!row.number) return {};
  auto number = statements_->keep.run(keep.entry->view(), file_.row_clock());
  if (!number) return tl::make_unexpected(number.error());
  row.number = *number;
  return {};
}

Result<> BatchWriter::release_outgoing(const ReleaseOutgoing& release) {
  if (auto done = run_for(statements_->await_pubcomp, release.key); !done) return done;
  return statements_->sent.reset().bind(release.number).finish("write");
}

Result<> BatchWriter::write_key(const HandledKey& key) {
  Statements& sql = *statements_;
  sql.keep_key.reset()
      .bind(key.list)
      .bind(key.number)
      .bind_blob_view({reinterpret_cast<const char*>(key.key.data()), key.key.size()});
  sql.keep_key.bind(file_.row_clock().row_time(key.handled));
  if (auto done = sql.keep_key.finish("write"); !done) return done;
  if (key.forget_to == 0) return {};
  return sql.forget_keys.reset().bind(key.list).bind(key.forget_to).finish("write");
}

}  // namespace triggerd::inbox
