#include "inbox/writer.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>

#include "inbox/database.hpp"
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
    : inbox_(inbox),
      options_(options),
      trouble_(std::move(trouble)),
      limit_(options.max_size),
      room_(inbox.vfs_.empty() ? inbox.folder() : std::filesystem::path()),
      portion_(std::min(room_.portion(),
                        std::max(options.max_size / kPortionsOfMaxSize, kLeastPortion))),
      wal_limit_(std::clamp(options.max_size / 2, kUntrimmed * portion_ + portion_,
                            std::max(kLargestWal, kUntrimmed * portion_ + portion_))) {
  {
    MutexLock lock(inbox_.mutex_);
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
    stop_ = true;
    alarm_.set(now());
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
  if (!writing_) alarm_.set(due);  // else the thread is not waiting, or for its next try
}

void Writer::queue(Operation operation) {
  next_.operations.push_back(std::move(operation));
  queued_ = next_.operations.size();
  write_within(options_.grace);
}

void Writer::accept(std::vector<EntryPtr> entries) {
  std::vector<Operation> finished;
  MutexLock lock(mutex_);
  for (EntryPtr& entry : entries) next_.operations.push_back(Accept{std::move(entry), {}});
  if (next_.operations.size() >= sweep_at_) finished = sweep();
  queued_ = next_.operations.size();
  write_within(options_.grace);
}

// For a few, which are what a quick service has had in its hands. More are worth a transaction.
void Writer::reconsider() {
  const std::size_t queued = queued_;
  if (queued == 0 || queued > kFew) return;
  std::vector<Operation> finished;
  MutexLock lock(mutex_);
  finished = sweep();
  if (!next_.changes_nothing_now()) return;
  due_ = Monotonic::max();
  if (!writing_) alarm_.set(look_due_);
  idle_.notify_all();
}

// While the writer's thread does not get its turn, on a busy machine or a slow disk, messages that
// are finished would gather here with all their memory. They are the caller's, who gives that
// memory back without the lock.
std::vector<Writer::Operation> Writer::sweep() {
  const auto wanted = [](const Operation& operation) {
    const auto* const accept = std::get_if<Accept>(&operation);
    return accept == nullptr || accept->key || accept->entry->wants_writing();
  };
  auto& queued = next_.operations;
  const auto end = std::stable_partition(queued.begin(), queued.end(), wanted);
  std::vector<Operation> finished(std::make_move_iterator(end),
                                  std::make_move_iterator(queued.end()));
  queued.erase(end, queued.end());
  stats_.finished += finished.size();
  sweep_at_ = std::max(kSweep, 2 * next_.operations.size());
  queued_ = queued.size();
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
  next_.removals.push_back(number);
  next_.attempts.erase(number);
  write_within(kRemovalGrace);
}

void Writer::note_attempts(std::int64_t number, std::uint32_t attempts) {
  MutexLock lock(mutex_);
  next_.attempts[number] = attempts;
  write_within(kRemovalGrace);
}

void Writer::note_retained(std::string_view trigger, std::string_view topic, std::string digest) {
  MutexLock lock(mutex_);
  next_.retained[{std::string(trigger), std::string(topic)}] = std::move(digest);
  write_within(kRemovalGrace);
}

bool Writer::flush(Monotonic deadline) {
  MutexLock lock(mutex_);
  urgent_ = true;
  alarm_.set(now());
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
  look_due_ = now() + (told_ == Kind::none ? options_.look : options_.retry);
  while (due_ == Monotonic::max() || (due_ > now() && !urgent_ && !stop_)) {
    if (due_ == Monotonic::max()) {
      urgent_ = false;
      idle_.notify_all();
      if (stop_) return false;
      if (look_due_ <= now()) return true;  // an empty batch, and another look
    }
    alarm_.set(due_ == Monotonic::max() ? look_due_ : due_);
    alarm_.wait(mutex_);
  }
  return true;
}

void Writer::run() {
  Batch batch;
  look();
  for (;;) {
    {
      MutexLock lock(mutex_);
      writing_ = false;
      if (!wait_for_batch()) return;
      batch = std::exchange(next_, {});
      queued_ = 0;
      sweep_at_ = kSweep;
      due_ = Monotonic::max();
      writing_ = true;
    }
    for (;;) {
      Verdict verdict = write(batch);
      if (verdict.kind == Kind::none) {
        look();
        break;
      }
      tell_trouble(std::move(verdict));
      MutexLock lock(mutex_);
      const Monotonic again = now() + options_.retry;
      while (!stop_ && now() < again) {
        alarm_.set(again);
        alarm_.wait(mutex_);
      }
      if (stop_) break;  // what is not written was never acknowledged: the server has it
      take_notes(batch);
    }
    batch = {};
  }
}

// What makes room does not wait behind what needs some.
void Writer::take_notes(Batch& batch) {
  batch.removals.insert(batch.removals.end(), next_.removals.begin(), next_.removals.end());
  for (const auto& [number, attempts] : next_.attempts) batch.attempts[number] = attempts;
  for (const std::int64_t number : next_.removals) batch.attempts.erase(number);
  for (auto& [key, digest] : next_.retained) batch.retained[key] = std::move(digest);
  next_.removals.clear();
  next_.attempts.clear();
  next_.retained.clear();
  if (next_.operations.empty()) due_ = Monotonic::max();
}

void Writer::look() {
  Verdict verdict;
  {
    MutexLock lock(inbox_.mutex_);
    // What was written was prepared for and measured; what others do shows soon enough.
    if (told_ != Kind::none || now() >= look_at_) {
      verdict = prepare();
      if (verdict.kind == Kind::none) measure();
      look_at_ = now() + options_.look;
    }
    if (verdict.kind == Kind::none) verdict = find_trouble();
  }
  tell_trouble(std::move(verdict));
}

// Once for each change between one trouble, another one and none.
void Writer::tell_trouble(Verdict verdict) {
  if (verdict.kind == told_) return;
  told_ = verdict.kind;
  trouble_(told_ == Kind::none ? std::nullopt : std::optional(std::move(verdict.reason)));
}

}  // namespace triggerd::inbox
