// Writes accepted messages to the disk in batches, on a thread of its own, so that whoever accepts
// them never waits for a disk.
//
// A batch is what came while the one before it was written, or within a short grace. Most messages
// are finished by then, and a finished message is never written. The rest is written in one
// transaction and, with Sync::disk, one fsync; a large batch takes several (batch_writer.hpp).
// Everything is done in the order in which it was asked for, except for notes of messages that are
// written already: these come first, because removals make room.
//
// While the file cannot be written (the disk is full, an I/O error, the file is gone), everything
// stays queued and is tried again, and the owner is told so that it stops receiving. The same
// happens before the volume is full, while removals still find room (room.hpp), and while a reader
// of the file keeps its WAL growing.
//
// Threads: any thread queues, under the writer's own lock; the writer's thread does the rest, under
// the inbox's lock where it uses the database. Where both are held, the inbox's was taken first.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/alarm.hpp"
#include "base/clock.hpp"
#include "base/histogram.hpp"
#include "base/mutex.hpp"
#include "inbox/batch.hpp"
#include "inbox/inbox.hpp"
#include "inbox/operations.hpp"
#include "inbox/write_schedule.hpp"
#include "inbox/write_trouble.hpp"

namespace triggerd::inbox {

class BatchWriter;
class Room;

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
  // A message that is to be published is kept until its server has it.
  void keep(OutgoingEntryPtr entry);
  // The server has the QoS 2 message of row `number`. In one transaction that is removed and its
  // packet id is kept until PUBCOMP.
  void release_outgoing(std::int64_t number, PacketKey key, PacketIdWaiterPtr waiter);
  // Some of what was accepted may be finished by now and need no writing. Where nothing else is
  // queued, the thread is not woken.
  void reconsider();
  // Writes what is queued now instead of after its grace: nothing but the disk is waited for.
  void hurry();
  // A written message is finished. Not urgent: a message that is removed late is handled twice.
  void remove(std::int64_t number);
  // The same, and in the same transaction its key is kept. That is urgent: until then the message
  // would be handled again after a restart.
  void remove(std::int64_t number, const HandledKey& key);
  // Keeps the key of a message that has no row.
  void keep_key(const HandledKey& key, PacketIdWaiterPtr waiter);
  void note_attempts(std::int64_t number, std::uint32_t attempts);
  // `trigger` has handled the retained message of `topic` with this digest. Not urgent, either.
  void note_retained(std::string_view trigger, std::string_view topic, std::string digest);
  // A server has an outgoing message, or nobody wants it any more; its PUBCOMP has come. Not
  // urgent, either: a message that is removed late is published twice (QoS 1), and a packet id that
  // is forgotten late is released twice.
  void remove_outgoing(std::int64_t number);
  void forget_completed(PacketKey key);

  // Writes what is queued at once, and waits for that. False: it is not all written by `deadline`.
  // [any]
  bool flush(Monotonic deadline);

  struct Stats {
    std::uint64_t batches = 0;   // transactions that wrote a message
    std::uint64_t messages = 0;  // written, outgoing ones too
    std::uint64_t finished = 0;  // finished before they were to be written
    std::chrono::nanoseconds commit_time{0};
  };
  Stats stats() const;
  // What the inbox may hold in bytes, as of the last look: max_size, or less where the volume has
  // less. [any]
  std::uint64_t limit() const;
  // Of transactions that wrote a message: how many seconds each took, and how many messages each
  // wrote. [any]
  HistogramSnapshot commit_times() const { return commit_times_.snapshot(1e9); }
  HistogramSnapshot batch_sizes() const { return batch_sizes_.snapshot(1); }

 private:
  // So few queued operations are each worth a look at whether they are finished.
  static constexpr std::size_t kFew = 16;

  void run();
  bool wait_for_batch() TRIGGERD_REQUIRES(mutex_);
  // Writes portion by portion what is left of it.
  WriteTrouble write(Batch& batch);
  bool wait_to_retry(Batch& batch);
  void look();
  void report(WriteTrouble trouble);
  bool is_in_trouble() const { return reported_ != WriteTrouble::Kind::none; }
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

  // The writer's thread's.
  const std::unique_ptr<Room> room_;
  const std::unique_ptr<BatchWriter> batch_writer_;
  WriteTrouble::Kind reported_ = WriteTrouble::Kind::none;
  Monotonic look_at_{};  // the next whole look

  std::thread thread_;
};

}  // namespace triggerd::inbox
