#include "inbox/writer.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>

#include "inbox/database.hpp"

namespace triggerd::inbox {
namespace {

// Removals alone are no hurry: they wait for company.
constexpr Millis kRemovalGrace{250};
// Above it, receiving goes on when the file's contents have shrunk by a tenth.
constexpr double kSizeHysteresis = 0.9;

Monotonic now() {
  return std::chrono::steady_clock::now();
}

Result<> stage_row(Statement& statement, const StagedKey& staged, std::string_view message_id,
                   std::string_view packet) {
  statement.reset().bind_view(staged.client_id).bind_view(staged.key);
  return statement.bind_view(message_id).bind_blob_view(packet).finish("write");
}

Result<> unstage_row(Statement& statement, const StagedKey& staged) {
  return statement.reset().bind_view(staged.client_id).bind_view(staged.key).finish("write");
}

}  // namespace

struct Writer::Statements {
  explicit Statements(Database& database)
      : insert(database,
               "INSERT INTO message (trigger_name, message_id, topic, payload, qos, retained,"
               " packet_id, attempts, received_ms, properties, expires_ms)"
               " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
        stage(database,
              "INSERT OR REPLACE INTO staged (client_id, key, message_id, packet)"
              " VALUES (?, ?, ?, ?)"),
        unstage(database, "DELETE FROM staged WHERE client_id = ? AND key = ?"),
        remove(database, "DELETE FROM message WHERE number = ?"),
        attempted(database, "UPDATE message SET attempts = ? WHERE number = ?") {}

  Statement insert;
  Statement stage;
  Statement unstage;
  Statement remove;
  Statement attempted;
};

Writer::Writer(Inbox& inbox, Options options, Trouble trouble)
    : inbox_(inbox), options_(options), trouble_(std::move(trouble)) {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "inbox");
    run();
  });
}

Writer::~Writer() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
    work_.notify_all();
  }
  thread_.join();
  MutexLock lock(inbox_.mutex_);  // others may be using the database
  statements_.reset();
}

// ---- Asking ----

void Writer::write_within(Millis grace) {
  const Monotonic due = now() + grace;
  if (due >= due_) return;
  due_ = due;
  work_.notify_one();
}

void Writer::queue(Operation operation) {
  next_.operations.push_back(std::move(operation));
  write_within(options_.grace);
}

void Writer::accept(std::vector<EntryPtr> entries) {
  MutexLock lock(mutex_);
  for (EntryPtr& entry : entries) next_.operations.push_back(Accept{std::move(entry), {}, false});
  if (next_.operations.size() >= sweep_at_) sweep();
  write_within(options_.grace);
}

// While the writer's thread does not get its turn, on a busy machine or a slow disk, messages that
// are finished would gather here with all their memory.
void Writer::sweep() {
  stats_.finished += std::erase_if(next_.operations, [](const Operation& operation) {
    const auto* const accept = std::get_if<Accept>(&operation);
    return accept != nullptr && !accept->staged && !accept->entry->wants_writing();
  });
  sweep_at_ = std::max(kSweep, 2 * next_.operations.size());
}

void Writer::accept_staged(StagedKey staged, EntryPtr entry) {
  MutexLock lock(mutex_);
  queue(Accept{std::move(entry), std::move(staged), false});
}

void Writer::accept_and_stage(StagedKey staged, EntryPtr entry) {
  MutexLock lock(mutex_);
  queue(Accept{std::move(entry), std::move(staged), true});
}

void Writer::stage(StagedKey staged, std::string message_id, std::string packet,
                   std::function<void()> done) {
  MutexLock lock(mutex_);
  queue(Stage{std::move(staged), std::move(message_id), std::move(packet), std::move(done)});
}

void Writer::unstage(StagedKey staged, std::function<void()> done) {
  MutexLock lock(mutex_);
  queue(Unstage{std::move(staged), std::move(done)});
}

void Writer::hurry() {
  MutexLock lock(mutex_);
  write_within(Millis{0});
}

void Writer::remove(std::int64_t number) {
  MutexLock lock(mutex_);
  next_.removals.push_back(number);
  next_.attempts.erase(number);
  write_within(kRemovalGrace);
}

void Writer::note_attempts(std::int64_t number, std::uint32_t attempts) {
  MutexLock lock(mutex_);
  next_.attempts[number] = attempts;
  write_within(kRemovalGrace);
}

bool Writer::flush(Monotonic deadline) {
  MutexLock lock(mutex_);
  urgent_ = true;
  work_.notify_one();
  while (writing_ || due_ != Monotonic::max()) {
    if (idle_.wait_until(mutex_, deadline) == std::cv_status::timeout) {
      return !writing_ && due_ == Monotonic::max();
    }
  }
  return true;
}

Writer::Stats Writer::stats() const {
  MutexLock lock(mutex_);
  return stats_;
}

// ---- Writing ----

// False: it is to end, and nothing is left to write.
bool Writer::wait_for_batch() {
  while (due_ == Monotonic::max() || (due_ > now() && !urgent_ && !stop_)) {
    if (due_ == Monotonic::max()) {
      urgent_ = false;
      idle_.notify_all();
      if (stop_) return false;
      if (!over_size_) {
        work_.wait(mutex_);
      } else if (work_.wait_until(mutex_, now() + options_.retry) == std::cv_status::timeout) {
        return true;  // others may have made room: an empty batch, and another look
      }
    } else {
      work_.wait_until(mutex_, due_);
    }
  }
  return true;
}

void Writer::run() {
  Batch batch;
  note_size();
  for (;;) {
    {
      MutexLock lock(mutex_);
      writing_ = false;
      if (!wait_for_batch()) return;
      batch = std::exchange(next_, {});
      sweep_at_ = kSweep;
      due_ = Monotonic::max();
      writing_ = true;
    }
    for (;;) {
      const Result<> done = write(batch);
      if (done) {
        note_size();
        break;
      }
      tell_trouble(done.error().message);
      MutexLock lock(mutex_);
      if (stop_) break;  // what is not written was never acknowledged: the server has it
      work_.wait_until(mutex_, now() + options_.retry);
    }
    batch = {};
  }
}

Result<> Writer::write(Batch& batch) {
  std::vector<Written> written;
  written.reserve(batch.operations.size());
  bool wrote_message = false;
  const Monotonic began = now();
  std::size_t stored = 0;
  {
    MutexLock lock(inbox_.mutex_);
    Result<> done = write_all(batch, written, wrote_message);
    for (const Written& w : written) {
      if (done) {
        w.accept->entry->written(w.number);
        stored += w.number ? 1 : 0;
      } else if (w.number) {
        w.accept->entry->not_written();
      }
    }
    if (!done) {
      statements_.reset();
      return done;
    }
  }
  for (const Written& w : written) w.accept->entry->flush_acknowledgement();
  for (Operation& operation : batch.operations) {
    if (auto* stage = std::get_if<Stage>(&operation); stage != nullptr && stage->done) {
      stage->done();
    } else if (auto* unstage = std::get_if<Unstage>(&operation);
               unstage != nullptr && unstage->done) {
      unstage->done();
    }
  }
  MutexLock lock(mutex_);
  stats_.messages += stored;
  stats_.finished += written.size() - stored;
  if (wrote_message) {
    ++stats_.batches;
    stats_.commit_time += now() - began;
    commit_times_.add(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(now() - began).count()));
    batch_sizes_.add(stored);
  }
  return {};
}

// Within the inbox's lock, so that nobody else moves a message meanwhile.
Result<> Writer::write_all(Batch& batch, std::vector<Written>& written,
                           bool& wrote_message) TRIGGERD_NO_ANALYSIS {
  Database& database = *inbox_.database_;
  bool changes = !batch.removals.empty() || !batch.attempts.empty();
  for (Operation& operation : batch.operations) {
    if (auto* accept = std::get_if<Accept>(&operation)) {
      const bool wanted = accept->entry->begin_write();
      // The number is given by the insert; until then it only says that there will be one.
      written.push_back({accept, wanted ? std::optional<std::int64_t>(0) : std::nullopt});
      wrote_message = wrote_message || wanted || accept->staged;
    } else {
      wrote_message = true;
    }
  }
  if (!changes && !wrote_message) return {};

  // Removals too: after an fsync that failed, transactions without one may cost those with one.
  Transaction transaction(
      database, options_.sync_to_disk ? Transaction::Sync::disk : Transaction::Sync::process);
  if (!statements_) statements_ = std::make_unique<Statements>(database);
  Statements& sql = *statements_;
  auto next_written = written.begin();
  for (Operation& operation : batch.operations) {
    Result<> done;
    if (auto* accept = std::get_if<Accept>(&operation)) {
      Written& w = *next_written++;
      if (accept->stage) {
        done = stage_row(sql.stage, *accept->staged, accept->entry->view().message_id, {});
      } else if (accept->staged) {
        done = unstage_row(sql.unstage, *accept->staged);
      }
      if (done && w.number) {
        const MessageView view = accept->entry->view();
        sql.insert.reset().bind_view(view.trigger).bind_view(view.message_id).bind_view(view.topic);
        sql.insert.bind_blob_view(view.payload).bind(std::int64_t{view.qos});
        sql.insert.bind(std::int64_t{view.retained}).bind(std::int64_t{view.packet_id});
        sql.insert.bind(std::int64_t{view.attempts}).bind(to_ms(view.received));
        sql.insert.bind_optional_blob_view(view.properties);
        sql.insert.bind_optional(view.expires ? std::optional(to_ms(*view.expires)) : std::nullopt);
        done = sql.insert.finish("write");
        w.number = database.last_row();
      }
    } else if (const auto* stage = std::get_if<Stage>(&operation)) {
      done = stage_row(sql.stage, stage->staged, stage->message_id, stage->packet);
    } else {
      done = unstage_row(sql.unstage, std::get<Unstage>(operation).staged);
    }
    if (!done) return done;
  }
  for (const std::int64_t number : batch.removals) {
    if (auto done = sql.remove.reset().bind(number).finish("write"); !done) return done;
  }
  for (const auto& [number, attempts] : batch.attempts) {
    sql.attempted.reset().bind(std::int64_t{attempts}).bind(number);
    if (auto done = sql.attempted.finish("write"); !done) return done;
  }
  return transaction.commit();
}

// ---- Trouble ----

// After a transaction that went well.
void Writer::note_size() {
  std::uint64_t used = 0;
  {
    MutexLock lock(inbox_.mutex_);
    Database& database = *inbox_.database_;
    std::uint64_t values[3] = {};
    const char* const pragmas[3] = {"PRAGMA page_count", "PRAGMA freelist_count",
                                    "PRAGMA page_size"};
    for (int i = 0; i < 3; ++i) {
      Statement query(database, pragmas[i]);
      if (query.step()) values[i] = static_cast<std::uint64_t>(query.number(0));
      (void)query.finish("read");
    }
    used = (values[0] - std::min(values[0], values[1])) * values[2];
  }
  const auto limit =
      over_size_
          ? static_cast<std::uint64_t>(static_cast<double>(options_.max_size) * kSizeHysteresis)
          : options_.max_size;
  over_size_ = used > limit;
  if (over_size_) {
    tell_trouble(fmt::format("it holds {} bytes, over max_size ({})", used, options_.max_size));
  } else {
    tell_trouble(std::nullopt);
  }
}

// Once for each change between trouble and none.
void Writer::tell_trouble(const std::optional<std::string>& reason) {
  if (reason.has_value() == trouble_told_.has_value()) return;
  trouble_told_ = reason;
  trouble_(reason);
}

}  // namespace triggerd::inbox
