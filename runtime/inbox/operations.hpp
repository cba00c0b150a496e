// What the writer is asked to do, and the queue of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "inbox/records.hpp"

namespace triggerd::inbox {

// A message as the writer sees it. The views stay valid until written() or not_written().
struct MessageView {
  std::string_view trigger;
  std::string_view message_id;
  std::string_view topic;
  std::string_view payload;
  int qos = 0;
  bool retained = false;
  std::uint16_t packet_id = 0;
  std::uint32_t attempts = 0;
  Wall received{};
  std::optional<std::string_view> properties{};  // as StoredMessage has them
  std::optional<Monotonic> expires{};
};

// Something that the writer is to write a row of. All but wants_writing() and
// flush_acknowledgement(): [the writer's thread, with the inbox's lock held]. A view of it may be
// asked for whatever begin_write() has returned.
class Record {
 public:
  virtual ~Record() = default;
  // False: it is finished, has no key that is to be written, and nobody waits for written(). [any]
  virtual bool wants_writing() const = 0;
  // Called just before the row is written. False: it is finished and needs none.
  virtual bool begin_write() = 0;
  // It is safe: on disk as row `number`; nullopt: it was finished before.
  virtual void written(std::optional<std::int64_t> number) = 0;
  // The transaction has failed; begin_write() is called again.
  virtual void not_written() = 0;
  // Called after written() was called for every row of a transaction, so that what follows from
  // them, such as their acknowledgements, leaves together. [the writer's thread, without a lock]
  virtual void flush_acknowledgement() = 0;
};

// An accepted message.
class Entry : public Record {
 public:
  virtual MessageView view() const = 0;
  // Where begin_write() has returned false: the key that the message was handled with, to be
  // written before written() is called; null: it has none.
  virtual const HandledKey* handled() const { return nullptr; }
};
using EntryPtr = std::shared_ptr<Entry>;

// A message that is to be published, as the writer sees it. The views stay valid as those of
// MessageView do.
struct OutgoingView {
  std::string_view alias;
  std::uint16_t packet_id = 0;
  std::string_view topic;
  std::string_view payload;
  int qos = 0;
  bool retained = false;
  std::optional<std::string_view> properties{};  // as OutgoingMessage has them
  Wall kept{};
  std::optional<Monotonic> expires{};
};

// A message that is kept until its server has it.
class OutgoingEntry : public Record {
 public:
  virtual OutgoingView view() const = 0;
};
using OutgoingEntryPtr = std::shared_ptr<OutgoingEntry>;

// The QoS 2 message that the server knows by its packet id, in the session of `client_id`: one that
// it has sent, or one that was sent to it.
struct PacketKey {
  std::string client_id;
  std::uint16_t packet_id;
};

// Waits until a packet id is kept or forgotten, or a key is kept. [the writer's thread]
class PacketIdWaiter {
 public:
  virtual ~PacketIdWaiter() = default;
  // That is done.
  virtual void done() = 0;
  // Called after done() was called for all of a transaction, so that what they send leaves
  // together.
  virtual void flush_acknowledgement() = 0;
};
using PacketIdWaiterPtr = std::unique_ptr<PacketIdWaiter>;  // null: nobody waits

struct Accept {
  EntryPtr entry;
  std::optional<PacketKey> key;  // to be kept with it
};
struct KeepId {
  PacketKey key;
  std::string message_id;
  PacketIdWaiterPtr waiter;
};
struct ForgetId {
  PacketKey key;
  PacketIdWaiterPtr waiter;
};
struct Keep {
  OutgoingEntryPtr entry;
};
// The server has the QoS 2 message of row `number`: that is removed, and its packet id is kept
// until PUBCOMP.
struct ReleaseOutgoing {
  std::int64_t number;
  PacketKey key;
  PacketIdWaiterPtr waiter;
};
// Of a message that has no row.
struct KeepKey {
  PacketIdWaiterPtr waiter;
  HandledKey key;
};
using Operation = std::variant<Accept, KeepId, ForgetId, KeepKey, Keep, ReleaseOutgoing>;

// Operations in the order in which they were asked for.
//
// The owner's lock guards it; size() alone may be called without.
class OperationQueue {
 public:
  std::size_t size() const { return size_; }

  void push(Operation operation) {
    operations_.push_back(std::move(operation));
    size_ = operations_.size();
  }
  void push(std::vector<EntryPtr> entries) {
    for (EntryPtr& entry : entries) operations_.push_back(Accept{std::move(entry), {}});
    size_ = operations_.size();
  }
  std::vector<Operation> take_all() {
    size_ = 0;
    sweep_at_ = kSweep;
    return std::exchange(operations_, {});
  }

  // Whether so many wait that it is time to take out those that are finished. While the writer's
  // thread does not get its turn, on a busy machine or a slow disk, they would gather with all
  // their memory.
  bool is_due_for_a_sweep() const { return operations_.size() >= sweep_at_; }
  // Takes out messages that are finished. The caller destroys them without the lock.
  std::vector<Operation> take_finished();

 private:
  static constexpr std::size_t kSweep = 4'096;

  std::vector<Operation> operations_;
  std::atomic<std::size_t> size_ = 0;  // of them, for those without the lock
  std::size_t sweep_at_ = kSweep;
};

}  // namespace triggerd::inbox
