// What one turn of the writer puts on the disk, and how it is divided into portions, each of which
// is one transaction that fits into the room there is.
//
// Takes no lock, and knows no SQL. [the writer]
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "inbox/operations.hpp"

namespace triggerd::inbox {

class RoomBudget;

// The row of a message that was handled is removed, and its key is kept: in one transaction.
struct HandledRow {
  std::int64_t number = 0;
  HandledKey key;
};

// What need not be done in the order in which it was asked for.
struct Notes {
  using Retained = std::map<std::pair<std::string, std::string>, std::string>;
  Retained retained;                                         // digests, by trigger and topic
  std::vector<std::int64_t> removals;                        // of messages, by their numbers
  std::vector<HandledRow> handled;                           // removals with a key
  std::unordered_map<std::int64_t, std::uint32_t> attempts;  // by the same
  std::vector<std::int64_t> sent;                            // outgoing messages, by their numbers
  std::vector<PacketKey> completed;                          // their PUBCOMP has come

  bool empty() const {
    return retained.empty() && removals.empty() && handled.empty() && attempts.empty() &&
           sent.empty() && completed.empty();
  }
  void remove(std::int64_t number);
  void remove(std::int64_t number, const HandledKey& key);
  // Adds what was noted later.
  void add(Notes later);
};

// What one transaction takes of a batch. Valid until the batch is changed.
struct Portion {
  struct Row {
    Record* record;
    std::optional<std::int64_t> number;  // nullopt: the record is finished, and gets none
  };

  std::span<Operation> operations;
  std::span<const std::int64_t> removals;
  std::span<const HandledRow> handled;
  std::span<const std::int64_t> sent;
  std::span<const PacketKey> completed;
  Notes::Retained retained;
  std::vector<std::pair<std::int64_t, std::uint32_t>> attempts;
  std::vector<Row> rows;    // of the operations that have a record, in their order
  bool writes_row = false;  // or a packet id, or a key

  bool writes() const {
    return writes_row || !removals.empty() || !handled.empty() || !sent.empty() ||
           !completed.empty() || !retained.empty() || !attempts.empty();
  }
  bool is_empty() const { return operations.empty() && !writes(); }
  // How many rows it writes.
  std::size_t written() const;

  // The transaction is over: tells each record. [with the inbox's lock held]
  void settle(bool committed) const;
  // Once all is written: lets the acknowledgements leave. [without a lock]
  void acknowledge() const;
};

class Batch {
 public:
  Batch(std::vector<Operation> operations, Notes notes)
      : operations_(std::move(operations)), notes_(std::move(notes)) {}

  bool is_done() const { return next_ == operations_.size() && notes_.empty(); }
  // What makes room does not wait behind what needs some.
  void add(Notes later) { notes_.add(std::move(later)); }
  // As much as fits. Records of it that are to be written have begun to be: Portion::settle() has
  // to be called. [with the inbox's lock held]
  Portion next_portion(const RoomBudget& budget);
  // It is written.
  void drop(const Portion& portion);

 private:
  std::span<Operation> take_operations(const RoomBudget& budget, Portion& portion);

  std::vector<Operation> operations_;
  std::size_t next_ = 0;  // of them; those before it are written
  Notes notes_;
};

}  // namespace triggerd::inbox
