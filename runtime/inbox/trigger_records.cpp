#include "inbox/trigger_records.hpp"

#include "inbox/inbox_file.hpp"

namespace triggerd::inbox {
namespace {

constexpr std::string_view kSuspended = "suspended";
constexpr std::string_view kDisabled = "disabled";

}  // namespace

Result<std::optional<TriggerState>> TriggerRecords::state(std::string_view trigger) {
  MutexLock lock(file_.mutex());
  Statement query(file_.database(),
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

Result<> TriggerRecords::set_state(std::string_view trigger,
                                   const std::optional<TriggerState>& state) {
  MutexLock lock(file_.mutex());
  Database& database = file_.database();
  auto transaction = Transaction::begin(database, Transaction::Sync::disk);
  if (!transaction) return tl::make_unexpected(transaction.error());
  Statement clear(database, "DELETE FROM trigger_state WHERE trigger_name = ?");
  if (auto done = clear.bind(trigger).finish("write"); !done) return done;
  if (state) {
    Statement insert(database,
                     "INSERT INTO trigger_state (trigger_name, state, changed_by, reason, since_ms)"
                     " VALUES (?, ?, ?, ?, ?)");
    insert.bind(trigger);
    insert.bind(state->state == TriggerState::State::suspended ? kSuspended : kDisabled);
    insert.bind(state->changed_by).bind(state->reason).bind(to_ms(state->since));
    if (auto done = insert.finish("write"); !done) return done;
  }
  return transaction->commit();
}

Result<std::vector<std::pair<std::string, std::string>>> TriggerRecords::handled_retained(
    std::string_view trigger) {
  MutexLock lock(file_.mutex());
  Statement query(file_.database(),
                  "SELECT topic, sha256 FROM handled_retained WHERE trigger_name = ?");
  query.bind(trigger);
  std::vector<std::pair<std::string, std::string>> handled;
  while (query.step()) handled.emplace_back(query.text(0), query.text(1));
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return handled;
}

}  // namespace triggerd::inbox
