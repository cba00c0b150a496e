#include "inbox/writer.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>

#include "inbox/inbox_file.hpp"
#include "inbox/writer_statements.hpp"

namespace triggerd::inbox {
namespace {

// Removals alone are no hurry: they wait for company.
constexpr Millis kRemovalGrace{250};
constexpr std::uint64_t kLeastPortion = 64ULL << 10;
constexpr std::uint64_t kPortionsOfMaxSize = 8;  // that max_size has, at least
constexpr std::uint64_t kLargestWal = 64ULL << 20;

}  // namespace

Writer::Writer(Inbox& inbox, const Options& options, Trouble trouble)
    : file_(inbox.file()),
      options_(options),
      trouble_(std::move(trouble)),
      clock_(*options_.clock),
      limit_(options.max_size),
      room_(file_.is_on_a_volume() ? file_.folder() : std::filesystem::path()),
      portion_(std::min(room_.portion(),
                        std::max(options.max_size / kPortionsOfMaxSize, kLeastPortion))),
      wal_limit_(std::clamp(options.max_size / 2, kUntrimmed * portion_ + portion_,
                            std::max(kLargestWal, kUntrimmed * portion_ + portion_))) {
  {
    MutexLock lock(file_.mutex());
    begin();
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
  MutexLock lock(file_.mutex());  // others may be using the database
  statements_.reset();
}

Transaction::Sync Writer::sync() const {
  return options_.sync_to_disk ? Transaction::Sync::disk : Transaction::Sync::process;
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

void Writer::hurry() {
  MutexLock lock(mutex_);
  write_within(Millis{0});
}

void Writer::remove(std::int64_t number) {
  MutexLock lock(mutex_);
  notes_.removals.push_back(number);
  notes_.attempts.erase(number);
  write_within(kRemovalGrace);
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
  schedule_.rest_until(now() + (told_ == Kind::none ? options_.look : options_.retry));
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
    Batch batch;
    {
      MutexLock lock(mutex_);
      writing_ = false;
      if (!wait_for_batch()) return;
      batch = {.operations = queue_.take_all(), .notes = std::exchange(notes_, {})};
      schedule_.nothing_is_queued();
      writing_ = true;
    }
    for (;;) {
      Verdict verdict = write(batch);
      if (verdict.kind == Kind::none) {
        look();
        break;
      }
      tell_trouble(std::move(verdict));
      if (!wait_to_retry(batch)) break;
    }
  }
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
  // What makes room does not wait behind what needs some.
  batch.notes.add(std::exchange(notes_, {}));
  if (queue_.size() == 0) schedule_.nothing_is_queued();
  return true;
}

void Writer::Notes::add(Notes later) {
  removals.insert(removals.end(), later.removals.begin(), later.removals.end());
  for (const auto& [number, count] : later.attempts) attempts[number] = count;
  for (const std::int64_t number : later.removals) attempts.erase(number);
  for (auto& [key, digest] : later.retained) retained[key] = std::move(digest);
}

void Writer::look() {
  Verdict verdict;
  {
    MutexLock lock(file_.mutex());
    // What was just written was prepared for and measured; what others do is seen soon enough.
    if (told_ != Kind::none || now() >= look_at_) {
      verdict = prepare();
      if (verdict.kind == Kind::none) measure();
      look_at_ = now() + options_.look;
    }
    if (verdict.kind == Kind::none) verdict = find_trouble();
  }
  tell_trouble(std::move(verdict));
}

// Tells each change once: to a trouble, to another one, and to none.
void Writer::tell_trouble(Verdict verdict) {
  if (verdict.kind == told_) return;
  told_ = verdict.kind;
  trouble_(told_ == Kind::none ? std::nullopt : std::optional(std::move(verdict.reason)));
}

}  // namespace triggerd::inbox
