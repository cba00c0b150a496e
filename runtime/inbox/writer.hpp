// Writes accepted messages to the disk in batches, on a thread of its own, so that whoever accepts
// them never waits for a disk.
//
// A batch is what came while the one before it was written, or within a short grace. Most messages
// are finished by then, and a finished message is never written. The rest is written in one
// transaction and, with Sync::disk, one fsync; a large batch takes several. Everything is done in
// the order in which it was asked for, except for removals, which come first because they make
// room.
//
// While the file cannot be written (the disk is full, an I/O error, the file is gone), everything
// stays queued and is tried again, and the owner is told so that it stops receiving. The same
// happens before the volume is full, while removals still find room (room.hpp), and while a reader
// of the file keeps its WAL growing.
//
// Threads: any thread queues, under the writer's own lock; the writer's thread does the rest, under
// the inbox's lock where it uses the database. Where both are held, the inbox's was taken first.
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
#include <utility>
#include <vector>

#include "base/alarm.hpp"
#include "base/clock.hpp"
#include "base/histogram.hpp"
#include "base/mutex.hpp"
#include "base/result.hpp"
#include "inbox/database.hpp"
#include "inbox/inbox.hpp"
#include "inbox/operations.hpp"
#include "inbox/room.hpp"
#include "inbox/write_schedule.hpp"

namespace triggerd::inbox {

class Writer {
 public:
  struct Options {
    bool sync_to_disk = true;
    std::uint64_t max_size = 1ULL << 30;
    Millis grace{1};    // how long a batch waits for its messages to finish
    Millis retry{500};  // after a transaction that failed
    Millis look{1000};  // at the file and its volume, while nothing is written
    // Called with what was missing of the files once they have been written again. [the writer's
    // thread, with the inbox's lock held]
    std::function<void(const std::string& what)> mended{};
    const Clock* clock = &system_clock();
  };
  // Called with the reason when messages cannot be written or are too many, with another reason
  // when the trouble has become another one, and with nullopt when it is over. [the writer's
  // thread, without a lock]
  using Trouble = std::function<void(const std::optional<std::string>& reason)>;

  // `inbox` and the clock outlive the writer.
  Writer(Inbox& inbox, const Options& options, Trouble trouble);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // ---- Any thread; these only queue ----

  void accept(std::vector<EntryPtr> entries);
  // A QoS 2 message. In one transaction it is accepted and its packet id is kept until PUBREL, so
  // that it is known when it comes again. Where it is finished, only the packet id is kept.
  void accept(PacketKey key, EntryPtr entry);
  // Keeps a packet id, replacing the same one.
  void keep_id(PacketKey key, std::string message_id, PacketIdWaiterPtr waiter);
  void forget_id(PacketKey key, PacketIdWaiterPtr waiter);
  // Some of what was accepted may be finished by now and need no writing. Where nothing else is
  // queued, the thread is not woken.
  void reconsider();
  // Writes what is queued now instead of after its grace: nothing but the disk is waited for.
  void hurry();
  // A written message is finished. Not urgent: a message that is removed late is handled twice.
  void remove(std::int64_t number);
  void note_attempts(std::int64_t number, std::uint32_t attempts);
  // `trigger` has handled the retained message of `topic` with this digest. Not urgent, either.
  void note_retained(std::string_view trigger, std::string_view topic, std::string digest);

  // Writes what is queued at once, and waits for that. False: it is not all written by `deadline`.
  // [any]
  bool flush(Monotonic deadline);

  struct Stats {
    std::uint64_t batches = 0;   // transactions that wrote a message
    std::uint64_t messages = 0;  // written
    std::uint64_t finished = 0;  // finished before they were to be written
    std::chrono::nanoseconds commit_time{0};
  };
  Stats stats() const;
  // What the inbox may hold in bytes, as of the last look: max_size, or less where the volume has
  // less. [any]
  std::uint64_t limit() const { return limit_; }
  // Of transactions that wrote a message: how many seconds each took, and how many messages each
  // wrote. [any]
  HistogramSnapshot commit_times() const { return commit_times_.snapshot(1e9); }
  HistogramSnapshot batch_sizes() const { return batch_sizes_.snapshot(1); }

 private:
  // The WAL is truncated above so many portions.
  static constexpr std::uint64_t kUntrimmed = 4;
  // So few queued operations are each worth a look at whether they are finished.
  static constexpr std::size_t kFew = 16;
  // What need not be done in the order in which it was asked for.
  struct Notes {
    std::map<std::pair<std::string, std::string>, std::string> retained;
    std::vector<std::int64_t> removals;
    std::unordered_map<std::int64_t, std::uint32_t> attempts;

    bool empty() const { return retained.empty() && removals.empty() && attempts.empty(); }
    // Adds what was noted later.
    void add(Notes later);
  };
  struct Batch {
    std::vector<Operation> operations;
    std::size_t next = 0;  // of them; those before it are done
    Notes notes;

    bool is_done() const { return next == operations.size() && notes.empty(); }
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
  bool wait_to_retry(Batch& batch);
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

  Transaction::Sync sync() const;
  static PacketIdWaiter* waiter_of(const Operation& operation);
  void end_portion(Batch& batch, const Portion& portion, std::chrono::nanoseconds took);
  std::uint64_t bytes_at_once() const;
  std::uint64_t left_for_wal() const;
  bool may_add(std::uint64_t bytes) const;
  bool wal_is_too_large() const;
  Verdict no_room() const;
  void look();
  void tell_trouble(Verdict verdict);
  Monotonic now() const { return clock_.now(); }
  void queue(Operation operation) TRIGGERD_REQUIRES(mutex_);
  std::vector<Operation> take_finished() TRIGGERD_REQUIRES(mutex_);
  void write_within(Millis grace) TRIGGERD_REQUIRES(mutex_);
  bool is_idle() const TRIGGERD_REQUIRES(mutex_) {
    return !writing_ && !schedule_.is_anything_queued();
  }

  InboxFile& file_;
  const Options options_;
  const Trouble trouble_;
  const Clock& clock_;

  mutable Mutex mutex_;
  Alarm alarm_;  // when the thread is to look at this again
  CondVar idle_;
  OperationQueue queue_;  // guarded by mutex_, but for its size()
  Notes notes_ TRIGGERD_GUARDED_BY(mutex_);
  WriteSchedule schedule_ TRIGGERD_GUARDED_BY(mutex_);
  bool writing_ TRIGGERD_GUARDED_BY(mutex_) = false;
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
