#include "inbox/batch.hpp"

#include <algorithm>

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

// In the file: a row that is not small has pages of its own.
std::uint64_t bytes_of_row(const MessageView& message) {
  constexpr std::uint64_t kPage = Database::kPageBytes;
  const std::uint64_t content = message.topic.size() + message.payload.size() +
                                (message.properties ? message.properties->size() : 0);
  const std::uint64_t bytes = content + kBytesOfRow;
  return content < kPage / 4 ? bytes : (bytes + kPage - 1) / kPage * kPage;
}

PacketIdWaiter* waiter_of(const Operation& operation) {
  if (const auto* const keep = std::get_if<KeepId>(&operation)) return keep->waiter.get();
  if (const auto* const forget = std::get_if<ForgetId>(&operation)) return forget->waiter.get();
  return nullptr;
}

}  // namespace

void Notes::remove(std::int64_t number) {
  removals.push_back(number);
  attempts.erase(number);
}

void Notes::add(Notes later) {
  removals.insert(removals.end(), later.removals.begin(), later.removals.end());
  for (const auto& [number, count] : later.attempts) attempts[number] = count;
  for (const std::int64_t number : later.removals) attempts.erase(number);
  for (auto& [key, digest] : later.retained) retained[key] = std::move(digest);
}

std::size_t Portion::rows() const {
  return static_cast<std::size_t>(
      std::count_if(messages.begin(), messages.end(),
                    [](const Message& message) { return message.number.has_value(); }));
}

void Portion::settle(bool committed) const {
  for (const Message& message : messages) {
    if (committed) {
      message.accept->entry->written(message.number);
    } else if (message.number) {
      message.accept->entry->not_written();
    }
  }
}

void Portion::acknowledge() const {
  for (const Operation& operation : operations) {
    if (PacketIdWaiter* const waiter = waiter_of(operation)) waiter->done();
  }
  for (const Message& message : messages) message.accept->entry->flush_acknowledgement();
  for (const Operation& operation : operations) {
    if (PacketIdWaiter* const waiter = waiter_of(operation)) waiter->flush_acknowledgement();
  }
}

Portion Batch::next_portion(const RoomBudget& budget) {
  Portion portion;
  const std::size_t most = budget.removal_bytes_at_once() / kBytesOfRemoval;
  portion.removals = std::span<const std::int64_t>(notes_.removals)
                         .last(std::min(notes_.removals.size(), std::max(most, kFewRemovals)));
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
    auto* const accept = std::get_if<Accept>(&operation);
    std::uint64_t more = 0;
    bool wanted = false;
    if (accept != nullptr) {
      wanted = accept->entry->begin_write();
      if (wanted) more = bytes_of_row(accept->entry->view());
      if (accept->key) more += kBytesOfRow;
    } else if (std::holds_alternative<KeepId>(operation)) {
      more = kBytesOfRow;
    }
    const bool fits =
        more == 0 || (budget.may_add(bytes + more) && (bytes == 0 || bytes + more <= limit));
    if (!fits) {
      if (wanted) accept->entry->not_written();
      break;
    }
    bytes += more;
    if (accept != nullptr) {
      // The number is given by the insert; until then it only says that there will be one.
      portion.messages.push_back({accept, wanted ? std::optional<std::int64_t>(0) : std::nullopt});
      portion.writes_message = portion.writes_message || wanted || accept->key;
    } else {
      portion.writes_message = true;
    }
  }
  return std::span(operations_).subspan(next_, end - next_);
}

void Batch::drop(const Portion& portion) {
  next_ += portion.operations.size();
  notes_.removals.resize(notes_.removals.size() - portion.removals.size());
  for (const auto& [key, digest] : portion.retained) notes_.retained.erase(key);
  for (const auto& [number, attempts] : portion.attempts) notes_.attempts.erase(number);
}

}  // namespace triggerd::inbox
