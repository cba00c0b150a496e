#include "inbox/writer.hpp"

#include <pthread.h>

#include <optional>
#include <utility>

#include "inbox/batch_writer.hpp"
#include "inbox/inbox_file.hpp"
#include "inbox/room.hpp"

namespace triggerd::inbox {
namespace {

// Removals alone are no hurry: they wait for company.
constexpr Millis kRemovalGrace{250};

}  // namespace

Writer::Writer(Inbox& inbox, const Options& options, Trouble trouble)
    : file_(inbox.file()),
      options_(options),
      trouble_(std::move(trouble)),
      clock_(*options_.clock),
      room_(std::make_unique<Room>(file_, options.max_size, clock_)),
      batch_writer_(std::make_unique<BatchWriter>(
          file_, *room_,
          options.sync_to_disk ? Transaction::Sync::disk : Transaction::Sync::process,
          options.mended, clock_)) {
  {
    MutexLock lock(file_.mutex());
    room_->begin();
  }
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "inbox");
    run();
  });
}

Writer::~Writer() {
  {
    MutexLock lock(mutex_);
    schedule_.end();
    alarm_.set(now());
  }
  thread_.join();
}

std::uint64_t Writer::limit() const {
  return room_->limit();
}

// ---- Asking ----

void Writer::write_within(Millis grace) {
  if (!schedule_.write_within(now(), grace)) return;
  // While it writes, the thread does not wait, or waits to try again.
  if (!writing_) alarm_.set(schedule_.wake_at());
}

void Writer::queue(Operation operation) {
  queue_.push(std::move(operation));
  write_within(options_.grace);
}

void Writer::accept(std::vector<EntryPtr> entries) {
  std::vector<Operation> finished;
  MutexLock lock(mutex_);
  queue_.push(std::move(entries));
  if (queue_.is_due_for_a_sweep()) finished = take_finished();
  write_within(options_.grace);
}

// Only for a few, which a quick service may have finished all. More are worth a transaction.
void Writer::reconsider() {
  const std::size_t queued = queue_.size();
  if (queued == 0 || queued > kFew) return;
  std::vector<Operation> finished;
  MutexLock lock(mutex_);
  finished = take_finished();
  if (queue_.size() > 0 || !notes_.empty()) return;
  schedule_.nothing_is_queued();
  if (!writing_) alarm_.set(schedule_.wake_at());
  idle_.notify_all();
}

// The caller destroys them without the lock.
std::vector<Operation> Writer::take_finished() {
  auto finished = queue_.take_finished();
  stats_.finished += finished.size();
  return finished;
}

void Writer::accept(PacketKey key, EntryPtr entry) {
  MutexLock lock(mutex_);
  queue(Accept{std::move(entry), std::move(key)});
}

void Writer::keep_id(PacketKey key, std::string message_id, PacketIdWaiterPtr waiter) {
  MutexLock lock(mutex_);
  queue(KeepId{std::move(key), std::move(message_id), std::move(waiter)});
}

void Writer::forget_id(PacketKey key, PacketIdWaiterPtr waiter) {
  MutexLock lock(mutex_);
  queue(ForgetId{std::move(key), std::move(waiter)});
}

void Writer::keep(OutgoingEntryPtr entry) {
  MutexLock lock(mutex_);
  queue(Keep{std::move(entry)});
}

void Writer::release_outgoing(std::int64_t number, PacketKey key, PacketIdWaiterPtr waiter) {
  MutexLock lock(mutex_);
  queue(ReleaseOutgoing{number, std::move(key), std::move(waiter)});
}

void Writer::hurry() {
  MutexLock lock(mutex_);
  write_within(Millis{0});
}

void Writer::remove(std::int64_t number) {
  MutexLock lock(mutex_);
  notes_.remove(number);
  write_within(kRemovalGrace);
}

void Writer::remove(std::int64_t number, const HandledKey& key) {
  MutexLock lock(mutex_);
  notes_.remove(number, key);
  write_within(options_.grace);
}

void Writer::keep_key(const HandledKey& key, PacketIdWaiterPtr waiter) {
  MutexLock lock(mutex_);
  queue(KeepKey{std::move(waiter), key});
}

void Writer::note_attempts(std::int64_t number, std::uint32_t attempts) {
  MutexLock lock(mutex_);
  notes_.attempts[number] = attempts;
  write_within(kRemovalGrace);
}

void Writer::note_retained(std::string_view trigger, std::string_view topic, std::string digest) {
  MutexLock lock(mutex_);
  notes_.retained[{std::string(trigger), std::string(topic)}] = std::move(digest);
  write_within(kRemovalGrace);
}

void Writer::remove_outgoing(std::int64_t number) {
  MutexLock lock(mutex_);
  notes_.sent.push_back(number);
  write_within(kRemovalGrace);
}

void Writer::forget_completed(PacketKey key) {
  MutexLock lock(mutex_);
  notes_.completed.push_back(std::move(key));
  write_within(kRemovalGrace);
}

bool Writer::flush(Monotonic deadline) {
  MutexLock lock(mutex_);
  schedule_.hurry();
  alarm_.set(now());
  while (!is_idle()) {
    if (idle_.wait_until(mutex_, deadline) == std::cv_status::timeout) return is_idle();
  }
  return true;
}

Writer::Stats Writer::stats() const {
  MutexLock lock(mutex_);
  return stats_;
}

// ---- Writing ----

// False: the thread is to end, and nothing is left to write.
bool Writer::wait_for_batch() {
  schedule_.rest_until(now() + (is_in_trouble() ? options_.retry : options_.look));
  for (;;) {
    if (!schedule_.is_anything_queued()) idle_.notify_all();
    switch (schedule_.next(now())) {
      case WriteSchedule::Step::end:
        return false;
      case WriteSchedule::Step::look:  // an empty batch, and another look
      case WriteSchedule::Step::write:
        return true;
      case WriteSchedule::Step::wait:
        alarm_.set(schedule_.wake_at());
        alarm_.wait(mutex_);
    }
  }
}

void Writer::run() {
  look();
  for (;;) {
    std::optional<Batch> batch;
    {
      MutexLock lock(mutex_);
      writing_ = false;
      if (!wait_for_batch()) return;
      batch.emplace(queue_.take_all(), std::exchange(notes_, {}));
      schedule_.nothing_is_queued();
      writing_ = true;
    }
    for (;;) {
      WriteTrouble trouble = write(*batch);
      if (!trouble) {
        look();
        break;
      }
      report(std::move(trouble));
      if (!wait_to_retry(*batch)) break;
    }
  }
}

WriteTrouble Writer::write(Batch& batch) {
  do {
    // In trouble, others may have made room since that was measured.
    BatchWriter::Outcome outcome = batch_writer_->write_portion(batch, is_in_trouble());
    if (outcome.trouble) return std::move(outcome.trouble);
    MutexLock lock(mutex_);
    stats_.messages += outcome.written;
    stats_.finished += outcome.finished;
    if (!outcome.has_row) continue;
    ++stats_.batches;
    stats_.commit_time += outcome.took;
    commit_times_.add(static_cast<std::uint64_t>(outcome.took.count()));
    batch_sizes_.add(outcome.written);
  } while (!batch.is_done());
  return {};
}

// False: the thread is to end. What is not written by then was never acknowledged, so the server
// still has it.
bool Writer::wait_to_retry(Batch& batch) {
  MutexLock lock(mutex_);
  const Monotonic again = now() + options_.retry;
  while (!schedule_.ending() && now() < again) {
    alarm_.set(again);
    alarm_.wait(mutex_);
  }
  if (schedule_.ending()) return false;
  batch.add(std::exchange(notes_, {}));
  if (queue_.size() == 0) schedule_.nothing_is_queued();
  return true;
}

void Writer::look() {
  WriteTrouble trouble;
  {
    MutexLock lock(file_.mutex());
    // What was just written was prepared for and measured; what others do is seen soon enough.
    if (is_in_trouble() || now() >= look_at_) {
      trouble = batch_writer_->prepare();
      if (!trouble) room_->measure();
      look_at_ = now() + options_.look;
    }
    if (!trouble) trouble = room_->find_trouble();
  }
  report(std::move(trouble));
}

// Each change once: to a trouble, to another one, and to none.
void Writer::report(WriteTrouble trouble) {
  if (trouble.kind == reported_) return;
  reported_ = trouble.kind;
  trouble_(trouble ? std::optional(std::move(trouble.reason)) : std::nullopt);
}

}  // namespace triggerd::inbox
