// The writer: accepted messages reach the disk in batches, on a thread of its own, so that whoever
// accepts them never waits for a disk.
//
// A batch is what came while the one before was written, or within a short grace: most messages are
// finished by then, and a finished message is never written. What is written is one transaction
// and, with Sync::disk, one fsync for all. Everything is done in the order in which it was asked
// for.
//
// While the file cannot be written (disk full, I/O error) everything stays queued and is tried
// again; the owner is told, so that it stops receiving.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/histogram.hpp"
#include "base/mutex.hpp"
#include "base/result.hpp"
#include "inbox/inbox.hpp"

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
  std::optional<Wall> expires{};
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

// The QoS 2 message that `client_id` keeps under `key`.
struct StagedKey {
  std::string client_id;
  std::string key;
};

class Writer {
 public:
  struct Options {
    bool sync_to_disk = true;
    std::uint64_t max_size = 1ULL << 30;
    Millis grace{1};    // how long a batch waits for its messages to finish
    Millis retry{500};  // after a transaction that failed
  };
  // Called when the file cannot be written or is over max_size (with the reason), and when it can
  // and is not again (nullopt). [the writer's thread, without a lock]
  using Trouble = std::function<void(const std::optional<std::string>& reason)>;

  // `inbox` outlives the writer.
  Writer(Inbox& inbox, Options options, Trouble trouble);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // ---- Any thread; these only queue ----

  void accept(std::vector<EntryPtr> entries);
  // A QoS 2 message whose PUBREL has come: out of the staged ones, and accepted, at once.
  void accept_staged(StagedKey staged, EntryPtr entry);
  // A QoS 2 message whose PUBREL is still to come (MQTT 5): its key is kept, so that it is known
  // when it comes again, and it is accepted, at once. Where it is finished, the key alone is kept.
  void accept_and_stage(StagedKey staged, EntryPtr entry);
  // Keeps `packet`, in the place of one with the same key; then calls `done`.
  void stage(StagedKey staged, std::string message_id, std::string packet,
             std::function<void()> done);
  // Forgets a staged message; then calls `done`.
  void unstage(StagedKey staged, std::function<void()> done);
  // Writes now what is queued, instead of after its grace: nothing but the disk is waited for.
  void hurry();
  // A written message is finished. Not urgent: a message that is removed late is handled twice.
  void remove(std::int64_t number);
  void note_attempts(std::int64_t number, std::uint32_t attempts);

  // Writes at once what is queued, and waits for it. False: not by `deadline`. [any]
  bool flush(Monotonic deadline);

  struct Stats {
    std::uint64_t batches = 0;   // transactions that wrote a message
    std::uint64_t messages = 0;  // written
    std::uint64_t finished = 0;  // finished before they were to be written
    std::chrono::nanoseconds commit_time{0};
  };
  Stats stats() const;
  // Of transactions that wrote a message: their seconds, and how many messages each wrote. [any]
  HistogramSnapshot commit_times() const { return commit_times_.snapshot(1e9); }
  HistogramSnapshot batch_sizes() const { return batch_sizes_.snapshot(1); }

 private:
  struct Accept {
    EntryPtr entry;
    std::optional<StagedKey> staged;  // its key
    bool stage = false;               // which is kept from now on, instead of forgotten
  };
  struct Stage {
    StagedKey staged;
    std::string message_id;
    std::string packet;
    std::function<void()> done;
  };
  struct Unstage {
    StagedKey staged;
    std::function<void()> done;
  };
  // Operations that wait; above it, those that came to nothing meanwhile are looked for.
  static constexpr std::size_t kSweep = 4'096;
  using Operation = std::variant<Accept, Stage, Unstage>;
  struct Batch {
    std::vector<Operation> operations;
    std::vector<std::int64_t> removals;
    std::unordered_map<std::int64_t, std::uint32_t> attempts;
  };
  struct Written {
    Accept* accept;
    std::optional<std::int64_t> number;
  };

  void run();
  bool wait_for_batch() TRIGGERD_REQUIRES(mutex_);
  Result<> write(Batch& batch);
  struct Statements;
  Result<> write_all(Batch& batch, std::vector<Written>& written,
                     bool& wrote_message) TRIGGERD_NO_ANALYSIS;
  void note_size();
  void tell_trouble(const std::optional<std::string>& reason);
  void queue(Operation operation) TRIGGERD_REQUIRES(mutex_);
  void sweep() TRIGGERD_REQUIRES(mutex_);
  void write_within(Millis grace) TRIGGERD_REQUIRES(mutex_);

  Inbox& inbox_;
  const Options options_;
  const Trouble trouble_;

  mutable Mutex mutex_;
  CondVar work_;
  CondVar idle_;
  Batch next_ TRIGGERD_GUARDED_BY(mutex_);
  std::size_t sweep_at_ TRIGGERD_GUARDED_BY(mutex_) = kSweep;
  Monotonic due_ TRIGGERD_GUARDED_BY(mutex_) = Monotonic::max();
  bool writing_ TRIGGERD_GUARDED_BY(mutex_) = false;
  bool urgent_ TRIGGERD_GUARDED_BY(mutex_) = false;
  bool stop_ TRIGGERD_GUARDED_BY(mutex_) = false;
  Stats stats_ TRIGGERD_GUARDED_BY(mutex_);
  Histogram commit_times_;  // added to by the writer's thread
  Histogram batch_sizes_;   //

  // The writer's thread's.
  std::optional<std::string> trouble_told_;
  bool over_size_ = false;
  std::unique_ptr<Statements> statements_;  // made again after an error

  std::thread thread_;
};

}  // namespace triggerd::inbox
