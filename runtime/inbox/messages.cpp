// The part of Inbox that is about messages: accepted ones, staged ones, dead letters; and the
// states of triggers.
#include "inbox/database.hpp"
#include "inbox/inbox.hpp"
#include "inbox/letter_row.hpp"

namespace triggerd::inbox {
namespace {

constexpr std::string_view kSuspended = "suspended";
constexpr std::string_view kDisabled = "disabled";

}  // namespace

// ---- Accepted messages ----

Result<std::vector<StoredMessage>> Inbox::messages(std::string_view trigger, std::int64_t after,
                                                   std::size_t limit) {
  MutexLock lock(mutex_);
  Statement query(*database_,
                  "SELECT number, message_id, trigger_name, topic, payload, qos, retained,"
                  " packet_id, attempts, received_ms, properties, expires_ms FROM message"
                  " WHERE trigger_name = ? AND number > ? ORDER BY number LIMIT ?");
  query.bind(trigger).bind(after).bind(static_cast<std::int64_t>(limit));
  std::vector<StoredMessage> found;
  while (query.step()) {
    found.push_back({.number = query.number(0),
                     .message_id = query.text(1),
                     .trigger = query.text(2),
                     .topic = query.text(3),
                     .payload = query.text(4),
                     .qos = static_cast<int>(query.number(5)),
                     .retained = query.number(6) != 0,
                     .packet_id = static_cast<std::uint16_t>(query.number(7)),
                     .attempts = static_cast<std::uint32_t>(query.number(8)),
                     .received = from_ms(query.number(9)),
                     .properties = properties_of(query, 10)});
    if (!query.is_null(11)) found.back().expires = time_of_row(query.number(11));
  }
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return found;
}

Result<std::vector<std::pair<std::string, std::int64_t>>> Inbox::message_counts() {
  MutexLock lock(mutex_);
  Statement query(*database_,
                  "SELECT trigger_name, count(*) FROM message GROUP BY trigger_name"
                  " ORDER BY trigger_name");
  std::vector<std::pair<std::string, std::int64_t>> found;
  while (query.step()) found.emplace_back(query.text(0), query.number(1));
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return found;
}

Result<std::vector<StagedMessage>> Inbox::staged(std::string_view client_id) {
  MutexLock lock(mutex_);
  // Ids of one run ascend (message_id.hpp).
  Statement query(*database_,
                  "SELECT key, message_id, packet FROM staged WHERE client_id = ?"
                  " ORDER BY message_id");
  query.bind(client_id);
  std::vector<StagedMessage> found;
  while (query.step()) found.push_back({query.text(0), query.text(1), query.text(2)});
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return found;
}

Result<> Inbox::accept_staged(std::string_view client_id, const StagedMessage& staged,
                              const StoredMessage& message) {
  MutexLock lock(mutex_);
  // Before and after a power cut it is in one of the two tables, so there is nothing to wait for;
  // there may be tens of thousands.
  auto transaction = Transaction::begin(*database_, Transaction::Sync::process);
  if (!transaction) return tl::make_unexpected(transaction.error());
  Statement insert(*database_,
                   "INSERT INTO message (trigger_name, message_id, topic, payload, qos, retained,"
                   " packet_id, attempts, received_ms) VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)");
  insert.bind(message.trigger).bind(staged.message_id).bind(message.topic);
  insert.bind_blob(message.payload).bind(std::int64_t{message.qos});
  insert.bind(std::int64_t{message.retained}).bind(std::int64_t{message.packet_id});
  insert.bind(to_ms(message.received));
  if (auto done = insert.finish("write"); !done) return done;
  Statement keep(*database_,
                 "INSERT OR REPLACE INTO awaiting_pubrel (client_id, packet_id, message_id)"
                 " VALUES (?, ?, ?)");
  keep.bind(client_id).bind(std::int64_t{message.packet_id}).bind(staged.message_id);
  if (auto done = keep.finish("write"); !done) return done;
  Statement remove(*database_, "DELETE FROM staged WHERE client_id = ? AND key = ?");
  if (auto done = remove.bind(client_id).bind(staged.key).finish("write"); !done) return done;
  return transaction->commit();
}

Result<std::vector<AwaitingPubrel>> Inbox::awaiting_pubrel(std::string_view client_id) {
  MutexLock lock(mutex_);
  Statement query(*database_,
                  "SELECT packet_id, message_id FROM awaiting_pubrel WHERE client_id = ?");
  query.bind(client_id);
  std::vector<AwaitingPubrel> found;
  while (query.step()) {
    found.push_back({static_cast<std::uint16_t>(query.number(0)), query.text(1)});
  }
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return found;
}

// ---- Dead letters ----

Result<std::int64_t> Inbox::add_dead_letter(
    const DeadLetter& letter, const std::function<std::optional<std::int64_t>()>& row) {
  MutexLock lock(mutex_);
  auto transaction = Transaction::begin(*database_, Transaction::Sync::disk);
  if (!transaction) return tl::make_unexpected(transaction.error());
  // First, so that the letter can have its room.
  if (const auto message = row ? row() : std::nullopt) {
    Statement remove(*database_, "DELETE FROM message WHERE number = ?");
    if (auto done = remove.bind(*message).finish("write"); !done) {
      return tl::make_unexpected(done.error());
    }
  }
  Statement insert(*database_,
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

Result<> Inbox::edit_dead_letter(std::int64_t number, std::string_view topic,
                                 std::string_view payload) {
  MutexLock lock(mutex_);
  auto transaction = Transaction::begin(*database_, Transaction::Sync::disk);
  if (!transaction) return tl::make_unexpected(transaction.error());
  Statement update(*database_, "UPDATE dead_letter SET topic = ?, payload = ? WHERE number = ?");
  update.bind(topic).bind_blob(payload).bind(number);
  if (auto done = update.finish("write"); !done) return done;
  if (database_->changes() == 0) return fail("there is no dead letter {}", number);
  return transaction->commit();
}

Result<> Inbox::drop_dead_letter(std::int64_t number) {
  MutexLock lock(mutex_);
  auto transaction = Transaction::begin(*database_, Transaction::Sync::disk);
  if (!transaction) return tl::make_unexpected(transaction.error());
  Statement remove(*database_, "DELETE FROM dead_letter WHERE number = ?");
  if (auto done = remove.bind(number).finish("write"); !done) return done;
  if (database_->changes() == 0) return fail("there is no dead letter {}", number);
  return transaction->commit();
}

// It is read outside of the lock.
Result<std::optional<StoredMessage>> Inbox::replay_dead_letter(std::int64_t number) {
  auto letter = dead_letter(number);
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
  MutexLock lock(mutex_);
  auto transaction = Transaction::begin(*database_, Transaction::Sync::disk);
  if (!transaction) return tl::make_unexpected(transaction.error());
  Statement remove(*database_, "DELETE FROM dead_letter WHERE number = ?");
  if (auto done = remove.bind(number).finish("write"); !done) {
    return tl::make_unexpected(done.error());
  }
  if (database_->changes() == 0) return std::nullopt;  // somebody was quicker
  Statement insert(*database_,
                   "INSERT INTO message (trigger_name, message_id, topic, payload, qos, retained,"
                   " packet_id, attempts, received_ms, properties)"
                   " VALUES (?, ?, ?, ?, ?, ?, 0, 0, ?, ?)"
                   " RETURNING number");
  insert.bind(message.trigger).bind(message.message_id).bind(message.topic);
  insert.bind_blob(message.payload).bind(std::int64_t{message.qos});
  insert.bind(std::int64_t{message.retained}).bind(to_ms(message.received));
  insert.bind_optional_blob(message.properties);
  if (insert.step()) message.number = insert.number(0);
  if (auto done = insert.finish("write"); !done) return tl::make_unexpected(done.error());
  if (auto done = transaction->commit(); !done) return tl::make_unexpected(done.error());
  return message;
}

// ---- States of triggers ----

Result<std::optional<TriggerState>> Inbox::trigger_state(std::string_view trigger) {
  MutexLock lock(mutex_);
  Statement query(*database_,
                  "SELECT state, changed_by, reason, since_ms FROM trigger_state"
                  " WHERE trigger_name = ?");
  std::optional<TriggerState> state;
  if (query.bind(trigger).step()) {
    state = TriggerState{.state = query.text(0) == kSuspended ? TriggerState::State::suspended
                                                              : TriggerState::State::disabled,
                         .changed_by = query.text(1),
                         .reason = query.text(2),
                         .since = from_ms(query.number(3))};
  }
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return state;
}

Result<> Inbox::set_trigger_state(std::string_view trigger,
                                  const std::optional<TriggerState>& state) {
  MutexLock lock(mutex_);
  auto transaction = Transaction::begin(*database_, Transaction::Sync::disk);
  if (!transaction) return tl::make_unexpected(transaction.error());
  Statement clear(*database_, "DELETE FROM trigger_state WHERE trigger_name = ?");
  if (auto done = clear.bind(trigger).finish("write"); !done) return done;
  if (state) {
    Statement insert(*database_,
                     "INSERT INTO trigger_state (trigger_name, state, changed_by, reason, since_ms)"
                     " VALUES (?, ?, ?, ?, ?)");
    insert.bind(trigger);
    insert.bind(state->state == TriggerState::State::suspended ? kSuspended : kDisabled);
    insert.bind(state->changed_by).bind(state->reason).bind(to_ms(state->since));
    if (auto done = insert.finish("write"); !done) return done;
  }
  return transaction->commit();
}

}  // namespace triggerd::inbox
