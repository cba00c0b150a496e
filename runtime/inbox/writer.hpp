// The writer: accepted messages reach the disk in batches, on a thread of its own, so that whoever
// accepts them never waits for a disk.
//
// A batch is what came while the one before was written, or within a short grace: most messages are
// finished by then, and a finished message is never written. What is written is one transaction
// and, with Sync::disk, one fsync for all; a large batch is several. Everything is done in the
// order in which it was asked for, but removals, which come first: they make room.
//
// While the file cannot be written (disk full, I/O error, it is gone) everything stays queued and
// is tried again; the owner is told, so that it stops receiving. The same before the volume is
// full, while removals still find room (room.hpp), and while a reader of the file keeps its WAL
// growing.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/alarm.hpp"
#include "base/clock.hpp"
#include "base/histogram.hpp"
#include "base/mutex.hpp"
#include "base/result.hpp"
#include "inbox/inbox.hpp"
#include "inbox/room.hpp"

namespace triggerd::inbox {

// What a message looks like to the writer; views stay valid until written() or not_written().
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

// An accepted message. All but the destructor: [the writer's thread, with the inbox's lock held].
// view() may be asked whatever begin_write() said.
class Entry {
 public:
  virtual ~Entry() = default;
  // False: it was finished, and nothing waits for written(). [any]
  virtual bool wants_writing() const = 0;
  // Asked just before it is written. False: it is finished, and need not be.
  virtual bool begin_write() = 0;
  virtual MessageView view() const = 0;
  // It is safe: on disk as message `number`, or nullopt: it was finished before.
  virtual void written(std::optional<std::int64_t> number) = 0;
  // The transaction failed; begin_write() comes again.
  virtual void not_written() = 0;
  // After written() was called for all of a batch.
  virtual void flush_acknowledgement() = 0;
};
using EntryPtr = std::shared_ptr<Entry>;

// The QoS 2 message that the server knows by its packet id, in the session of `client_id`.
struct PacketKey {
  std::string client_id;
  std::uint16_t packet_id;
};

// Who waits until a packet id is kept, or forgotten. [the writer's thread]
class PacketIdWaiter {
 public:
  virtual ~PacketIdWaiter() = default;
  // It is.
  virtual void done() = 0;
  // After done() was called for all of a transaction, so that what that allows leaves together.
  virtual void flush_acknowledgement() = 0;
};
using PacketIdWaiterPtr = std::unique_ptr<PacketIdWaiter>;  // null: nobody

class Writer {
 public:
  struct Options {
    bool sync_to_disk = true;
    std::uint64_t max_size = 1ULL << 30;
    Millis grace{1};    // how long a batch waits for its messages to finish
    Millis retry{500};  // after a transaction that failed
    Millis look{1000};  // at the file and its volume, where nothing is written
    // Told what was missing of the files when they have been written again. [the writer's thread,
    // with the inbox's lock held]
    std::function<void(const std::string& what)> mended{};
  };
  // Called when messages cannot be written or are too many (with the reason), with another reason
  // where it has become another trouble, and when it is over (nullopt). [the writer's thread,
  // without a lock]
  using Trouble = std::function<void(const std::optional<std::string>& reason)>;

  // `inbox` outlives the writer.
  Writer(Inbox& inbox, const Options& options, Trouble trouble);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // ---- Any thread; these only queue ----

  void accept(std::vector<EntryPtr> entries);
  // A QoS 2 message: it is accepted, and its packet id kept until PUBREL, so that it is known when
  // it comes again; at once. Where it is finished, the packet id alone is kept.
  void accept(PacketKey key, EntryPtr entry);
  // Keeps a packet id, in the place of the same one.
  void keep_id(PacketKey key, std::string message_id, PacketIdWaiterPtr waiter);
  void forget_id(PacketKey key, PacketIdWaiterPtr waiter);
  // Some of what was accepted may be finished by now: what is needs no writing, and where that was
  // all, the thread is not woken for it.
  void reconsider();
  // Writes now what is queued, instead of after its grace: nothing but the disk is waited for.
  void hurry();
  // A written message is finished. Not urgent: a message that is removed late is handled twice.
  void remove(std::int64_t number);
  void note_attempts(std::int64_t number, std::uint32_t attempts);
  // `trigger` has handled the retained message of `topic` with this digest. Not urgent either.
  void note_retained(std::string_view trigger, std::string_view topic, std::string digest);

  // Writes at once what is queued, and waits for it. False: not by `deadline`. [any]
  bool flush(Monotonic deadline);

  struct Stats {
    std::uint64_t batches = 0;   // transactions that wrote a message
    std::uint64_t messages = 0;  // written
    std::uint64_t finished = 0;  // finished before they were to be written
    std::chrono::nanoseconds commit_time{0};
  };
  Stats stats() const;
  // What the inbox may hold: max_size, or less where the volume has less; as it was seen last.
  std::uint64_t limit() const { return limit_; }
  // Of transactions that wrote a message: their seconds, and how many messages each wrote. [any]
  HistogramSnapshot commit_times() const { return commit_times_.snapshot(1e9); }
  HistogramSnapshot batch_sizes() const { return batch_sizes_.snapshot(1); }

 private:
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
  // The WAL is given back above so many portions.
  static constexpr std::uint64_t kUntrimmed = 4;
  // What is finished of so many is worth a look at each.
  static constexpr std::size_t kFew = 16;
  // Operations that wait; above it, those that came to nothing meanwhile are looked for.
  static constexpr std::size_t kSweep = 4'096;
  using Operation = std::variant<Accept, KeepId, ForgetId>;
  struct Batch {
    std::vector<Operation> operations;
    std::size_t next = 0;  // of them; those before it are done
    std::map<std::pair<std::string, std::string>, std::string> retained;
    std::vector<std::int64_t> removals;
    std::unordered_map<std::int64_t, std::uint32_t> attempts;

    bool changes_nothing_now() const { return next == operations.size() && nothing_to_note(); }
    bool nothing_to_note() const {
      return retained.empty() && removals.empty() && attempts.empty();
    }
  };
  struct Written {
    Accept* accept;
    std::optional<std::int64_t> number;
  };
  // What one transaction takes of a batch: operations from `next` up to `operations`, and the last
  // `removals`.
  struct Portion {
    std::size_t operations = 0;
    std::size_t removals = 0;
    std::map<std::pair<std::string, std::string>, std::string> retained;
    std::vector<std::pair<std::int64_t, std::uint32_t>> attempts;
    std::vector<Written> written;
    bool writes_message = false;

    bool writes() const {
      return writes_message || removals > 0 || !retained.empty() || !attempts.empty();
    }
  };
  enum class Kind { none, failing, lost, reader, volume, size };
  struct Verdict {
    Kind kind = Kind::none;
    std::string reason;
  };
  // Of the files and of the volume, in bytes.
  struct Space {
    std::uint64_t used = 0;       // by what is kept, and by the WAL
    std::uint64_t wal = 0;        // of that
    std::uint64_t free = 0;       // in the file
    bool known = false;           // of the volume
    std::uint64_t available = 0;  // in it, when what is in the WAL has gone to the file
  };

  void run();
  bool wait_for_batch() TRIGGERD_REQUIRES(mutex_);
  // Writes portion by portion what is left of it.
  Verdict write(Batch& batch);
  Verdict write_portion(Batch& batch);
  void take_notes(Batch& batch) TRIGGERD_REQUIRES(mutex_);
  struct Statements;
  // These have the inbox's lock.
  void begin() TRIGGERD_NO_ANALYSIS;
  Portion next_portion(Batch& batch) TRIGGERD_NO_ANALYSIS;
  void add_operations(Batch& batch, Portion& portion) TRIGGERD_NO_ANALYSIS;
  Result<> transact(Batch& batch, Portion& portion) TRIGGERD_NO_ANALYSIS;
  Result<> write_notes(const Batch& batch, const Portion& portion) TRIGGERD_NO_ANALYSIS;
  Verdict prepare() TRIGGERD_NO_ANALYSIS;
  void measure() TRIGGERD_NO_ANALYSIS;
  void checkpoint() TRIGGERD_NO_ANALYSIS;
  void make_room() TRIGGERD_NO_ANALYSIS;
  void shrink_file() TRIGGERD_NO_ANALYSIS;
  void trim_wal(std::uint64_t allowed) TRIGGERD_NO_ANALYSIS;
  Verdict find_trouble() TRIGGERD_NO_ANALYSIS;

  static PacketIdWaiter* waiter_of(const Operation& operation);
  void end_portion(Batch& batch, const Portion& portion, std::chrono::nanoseconds took);
  std::uint64_t bytes_at_once() const;
  std::uint64_t left_for_wal() const;
  bool may_add(std::uint64_t bytes) const;
  bool wal_is_too_large() const;
  Verdict no_room() const;
  void look();
  void tell_trouble(Verdict verdict);
  void queue(Operation operation) TRIGGERD_REQUIRES(mutex_);
  std::vector<Operation> sweep() TRIGGERD_REQUIRES(mutex_);
  void write_within(Millis grace) TRIGGERD_REQUIRES(mutex_);

  Inbox& inbox_;
  const Options options_;
  const Trouble trouble_;

  mutable Mutex mutex_;
  Alarm alarm_;  // when the thread is to look at this again
  CondVar idle_;
  Batch next_ TRIGGERD_GUARDED_BY(mutex_);
  std::size_t sweep_at_ TRIGGERD_GUARDED_BY(mutex_) = kSweep;
  std::atomic<std::size_t> queued_ = 0;  // operations of `next_`; written under the lock
  Monotonic due_ TRIGGERD_GUARDED_BY(mutex_) = Monotonic::max();
  Monotonic look_due_ TRIGGERD_GUARDED_BY(mutex_) = Monotonic::max();  // where nothing is
  bool writing_ TRIGGERD_GUARDED_BY(mutex_) = false;
  bool urgent_ TRIGGERD_GUARDED_BY(mutex_) = false;
  bool stop_ TRIGGERD_GUARDED_BY(mutex_) = false;
  Stats stats_ TRIGGERD_GUARDED_BY(mutex_);
  Histogram commit_times_;  // added to by the writer's thread
  Histogram batch_sizes_;   //

  std::atomic<std::uint64_t> limit_;

  // The writer's thread's.
  const Room room_;
  const std::uint64_t portion_;    // bytes: the least that one transaction takes
  const std::uint64_t wal_limit_;  // behind a reader
  Kind told_ = Kind::none;
  bool cramped_ = false;  // the volume was full: only removals are written, little by little
  bool low_ = false;      // it is nearly
  Space space_;           // as of the last measure()
  bool over_size_ = false;
  bool wal_is_held_ = false;                // a reader keeps it from being used again
  Monotonic trim_at_{};                     // before which that is not tried again
  Monotonic clock_at_{};                    // the same, of rows that do not follow the clock
  Monotonic look_at_{};                     // the next whole look
  std::unique_ptr<Statements> statements_;  // made again after an error

  std::thread thread_;
};

}  // namespace triggerd::inbox
