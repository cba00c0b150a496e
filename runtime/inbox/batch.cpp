#include "inbox/batch.hpp"

#include <algorithm>
#include <iterator>

#include "inbox/database.hpp"
#include "inbox/room_budget.hpp"

namespace triggerd::inbox {
namespace {

// A removal changes a few pages: of the row, of indexes, of the list of free pages.
constexpr std::uint64_t kBytesOfRemoval = 4 * Database::kPageBytes;
constexpr std::uint64_t kBytesOfNote = 2 * Database::kPageBytes;
constexpr std::size_t kFewRemovals = 16;
// Beside topic and payload.
constexpr std::uint64_t kBytesOfRow = 512;
// One is behind the other, so that a page has many.
constexpr std::uint64_t kBytesOfKey = 128;

// In the file: a row that is not small has pages of its own.
template <class View>
std::uint64_t bytes_of_row(const View& message) {
  constexpr std::uint64_t kPage = Database::kPageBytes;
  const std::uint64_t content = message.topic.size() + message.payload.size() +
                                (message.properties ? message.properties->size() : 0);
  const std::uint64_t bytes = content + kBytesOfRow;
  return content < kPage / 4 ? bytes : (bytes + kPage - 1) / kPage * kPage;
}

PacketIdWaiter* waiter_of(const Operation& operation) {
  if (const auto* const keep = std::get_if<KeepId>(&operation)) return keep->waiter.get();
  if (const auto* const forget = std::get_if<ForgetId>(&operation)) return forget->waiter.get();
  if (const auto* const release = std::get_if<ReleaseOutgoing>(&operation)) {
    return release->waiter.get();
  }
  if (const auto* const keep = std::get_if<KeepKey>(&operation)) return keep->waiter.get();
  return nullptr;
}

// Null: the operation has none.
Record* record_of(const Operation& operation) {
  if (const auto* const accept = std::get_if<Accept>(&operation)) return accept->entry.get();
  if (const auto* const keep = std::get_if<Keep>(&operation)) return keep->entry.get();
  return nullptr;
}

// What the operation adds to the file, once begin_write() has said whether its row is `wanted`. A
// packet id that replaces an outgoing message adds nothing.
std::uint64_t bytes_of(const Operation& operation, bool wanted) {
  if (const auto* const accept = std::get_if<Accept>(&operation)) {
    const std::uint64_t id = accept->key ? kBytesOfRow : 0;
    if (wanted) return id + bytes_of_row(accept->entry->view());
    return id + (accept->entry->handled() != nullptr ? kBytesOfKey : 0);
  }
  if (const auto* const keep = std::get_if<Keep>(&operation)) {
    return wanted ? bytes_of_row(keep->entry->view()) : 0;
  }
  if (std::holds_alternative<KeepKey>(operation)) return kBytesOfKey;
  return std::holds_alternative<KeepId>(operation) ? kBytesOfRow : 0;
}

// The last `most` of them; what they leave of `most`.
template <class T>
std::span<const T> last_of(const std::vector<T>& all, std::size_t& most) {
  const std::size_t some = std::min(all.size(), most);
  most -= some;
  return std::span<const T>(all).last(some);
}

}  // namespace

void Notes::remove(std::int64_t number) {
  removals.push_back(number);
  attempts.erase(number);
}

void Notes::remove(std::int64_t number, const HandledKey& key) {
  handled.push_back({number, key});
  attempts.erase(number);
}

void Notes::add(Notes later) {
  removals.insert(removals.end(), later.removals.begin(), later.removals.end());
  sent.insert(sent.end(), later.sent.begin(), later.sent.end());
  completed.insert(completed.end(), std::make_move_iterator(later.completed.begin()),
                   std::make_move_iterator(later.completed.end()));
  for (const auto& [number, count] : later.attempts) attempts[number] = count;
  for (const std::int64_t number : later.removals) attempts.erase(number);
  for (const HandledRow& row : later.handled) remove(row.number, row.key);
  for (auto& [key, digest] : later.retained) retained[key] = std::move(digest);
}

std::size_t Portion::written() const {
  return static_cast<std::size_t>(std::count_if(
      rows.begin(), rows.end(), [](const Row& row) { return row.number.has_value(); }));
}

void Portion::settle(bool committed) const {
  for (const Row& row : rows) {
    if (committed) {
      row.record->written(row.number);
    } else if (row.number) {
      row.record->not_written();
    }
  }
}

void Portion::acknowledge() const {
  for (const Operation& operation : operations) {
    if (PacketIdWaiter* const waiter = waiter_of(operation)) waiter->done();
  }
  for (const Row& row : rows) row.record->flush_acknowledgement();
  for (const Operation& operation : operations) {
    if (PacketIdWaiter* const waiter = waiter_of(operation)) waiter->flush_acknowledgement();
  }
}

Portion Batch::next_portion(const RoomBudget& budget) {
  Portion portion;
  std::size_t most =
      std::max<std::size_t>(budget.removal_bytes_at_once() / kBytesOfRemoval, kFewRemovals);
  portion.removals = last_of(notes_.removals, most);
  portion.handled = last_of(notes_.handled, most);
  portion.sent = last_of(notes_.sent, most);
  portion.completed = last_of(notes_.completed, most);
  if (!budget.takes_only_removals()) {
    const std::size_t notes = budget.bytes_at_once() / kBytesOfNote;
    for (const auto& [key, digest] : notes_.retained) {
      if (portion.retained.size() == notes) break;
      portion.retained.emplace(key, digest);
    }
    for (const auto& note : notes_.attempts) {
      if (portion.attempts.size() == notes) break;
      portion.attempts.emplace_back(note);
    }
  }
  portion.operations = take_operations(budget, portion);
  return portion;
}

// In their order, up to the first that does not fit.
std::span<Operation> Batch::take_operations(const RoomBudget& budget, Portion& portion) {
  const std::uint64_t limit = budget.bytes_at_once();
  std::uint64_t bytes = 0;
  std::size_t end = next_;
  for (; end < operations_.size(); ++end) {
    Operation& operation = operations_[end];
    Record* const record = record_of(operation);
    const bool wanted = record != nullptr && record->begin_write();
    const std::uint64_t more = bytes_of(operation, wanted);
    const bool fits =
        more == 0 || (budget.may_add(bytes + more) && (bytes == 0 || bytes + more <= limit));
    if (!fits) {
      if (wanted) record->not_written();
      break;
    }
    bytes += more;
    // The number is given by the insert; until then it only says that there will be one.
    if (record != nullptr) {
      portion.rows.push_back({record, wanted ? std::optional<std::int64_t>(0) : std::nullopt});
    }
    portion.writes_row = portion.writes_row || record == nullptr || more > 0;
  }
  return std::span(operations_).subspan(next_, end - next_);
}

void Batch::drop(const Portion& portion) {
  next_ += portion.operations.size();
  notes_.removals.resize(notes_.removals.size() - portion.removals.size());
  notes_.sent.resize(notes_.sent.size() - portion.sent.size());
  notes_.completed.erase(
      notes_.completed.end() - static_cast<std::ptrdiff_t>(portion.completed.size()),
      notes_.completed.end());
  notes_.handled.resize(notes_.handled.size() - portion.handled.size());
  for (const auto& [key, digest] : portion.retained) notes_.retained.erase(key);
  for (const auto& [number, attempts] : portion.attempts) notes_.attempts.erase(number);
}

}  // namespace triggerd::inbox
