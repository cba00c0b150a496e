#include "plugin/isolation/worker_side.hpp"

#include <unistd.h>

#include <algorithm>
#include <limits>
#include <thread>
#include <utility>

namespace triggerd::plugin::isolation {
namespace {

constexpr std::int64_t kWait = 1'000'000'000;  // then it looks again, in case a wake-up was lost
constexpr std::chrono::microseconds kRoomPause{50};
constexpr std::size_t kSpare = 64;
constexpr int kNoDoorbell = 71;
constexpr int kRubbish = 72;

std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

}  // namespace

WorkerSide::WorkerSide(SharedLayout& shared, WorkerSocket& socket, int doorbell)
    : shared_(shared),
      socket_(socket),
      doorbell_(doorbell),
      ring_(shared.to_worker, shared.to_worker_bytes),
      out_(shared.to_host, shared.to_host_bytes) {
  for (std::uint32_t place = 0; place < kCallPlaces; ++place) free_places_.push_back(place);
}

void WorkerSide::serve(std::string trigger, std::chrono::nanoseconds timeout) {
  trigger_ = std::move(trigger);
  timeout_ = timeout;
}

// ---- Messages ----

const trigger_message* WorkerSide::take(std::stop_token stop) {
  for (;;) {
    const std::uint32_t bell = shared_.bell.load();
    {
      const MutexLock lock(mutex_);
      if (stop.stop_requested()) return nullptr;
      if (const trigger_message* message = next()) return message;
      answered_ns_ = 0;
    }
    knock();
    const std::stop_callback wake_up(stop, [this] {
      shared_.bell.fetch_add(1);
      wake(shared_.bell, std::numeric_limits<int>::max());
    });
    shared_.at_the_bell.fetch_add(1);
    if (!stop.stop_requested()) wait_while(shared_.bell, bell, kWait);
    shared_.at_the_bell.fetch_sub(1);
  }
}

// Messages that may be handled at once: of any two, none follows the other.
void WorkerSide::take_more(std::vector<const trigger_message*>& batch) {
  const MutexLock lock(mutex_);
  while (batch.size() < kMaxBatch) {
    const trigger_message* const message = next();
    if (message == nullptr) return;
    if (message == &kProbe) {
      kept_ = message;
      return;
    }
    batch.push_back(message);
  }
}

void WorkerSide::discard() {
  const MutexLock lock(mutex_);
  kept_ = nullptr;
  for (std::uint32_t type = 0; ring_.read(type, scratch_) == RingReader::Outcome::record;) {
  }
  long_ones_.clear();
  last_was_ok_ = true;
}

const trigger_message* WorkerSide::next() {
  if (kept_ != nullptr) return std::exchange(kept_, nullptr);
  for (;;) {
    std::uint32_t type = 0;
    const RingReader::Outcome outcome = ring_.read(type, scratch_);
    if (outcome == RingReader::Outcome::empty) return nullptr;
    if (outcome == RingReader::Outcome::rubbish) ::_exit(kRubbish);
    if (type == static_cast<std::uint32_t>(ToWorker::probe)) return &kProbe;
    if (type == static_cast<std::uint32_t>(ToWorker::elsewhere)) {
      while (long_ones_.empty()) arrived_.wait(mutex_);
      scratch_ = std::move(long_ones_.front());
      long_ones_.pop_front();
    }
    Owned owned;
    if (spare_.empty()) {
      owned = std::make_unique<OwnedMessage>();
    } else {
      owned = std::move(spare_.back());
      spare_.pop_back();
    }
    if (!decode_message(scratch_, *owned)) ::_exit(kRubbish);
    if (owned->follows && !last_was_ok_) {
      recycle(std::move(owned));  // the host gives it again, after the one that failed
      continue;
    }
    // Right after another one, its time begins with the answer to that.
    owned->begun_ns = answered_ns_ != 0 ? answered_ns_ : now_ns();
    owned->trigger = {trigger_.c_str(), trigger_.size()};
    owned->deadline_mono_ns = owned->begun_ns + static_cast<std::uint64_t>(timeout_.count());
    return owned.release();  // answered() takes it back
  }
}

void WorkerSide::recycle(Owned message) {
  if (spare_.size() < kSpare && message->bytes.capacity() < 65'536) {
    spare_.push_back(std::move(message));
  }
}

void WorkerSide::answered(const trigger_message& message, Answer answer) {
  Verdict verdict{.token = message.token, .answer = std::move(answer), .busy_ns = 0};
  {
    const MutexLock lock(mutex_);
    // Made by next(), and given to nobody else.
    Owned owned(const_cast<OwnedMessage*>(static_cast<const OwnedMessage*>(&message)));
    answered_ns_ = now_ns();
    verdict.busy_ns = static_cast<std::uint32_t>(std::min<std::uint64_t>(
        answered_ns_ - owned->begun_ns, std::numeric_limits<std::uint32_t>::max()));
    if (completed_early_.empty() || completed_early_.erase(message.token) == 0) {
      if (verdict.answer.code == TRIGGER_PENDING) {
        pending_.insert_or_assign(message.token, std::move(owned));
      }
    }
    if (owned) recycle(std::move(owned));
    last_was_ok_ = verdict.answer.code == TRIGGER_OK;
  }
  {
    const MutexLock lock(out_mutex_);
    encode(verdict, record_);
    while (out_.write(static_cast<std::uint32_t>(ToHost::verdict), record_) !=
           RingWriter::Outcome::written) {
      knock();
      std::this_thread::sleep_for(kRoomPause);
    }
  }
  // Asked after it was written: a host that fell asleep before that saw the same messages waiting,
  // and so looks again soon.
  if (nothing_waits()) knock();
}

bool WorkerSide::nothing_waits() {
  const MutexLock lock(mutex_);
  return ring_.empty();
}

void WorkerSide::probed(const Result<>& outcome) {
  write(ToHost::probed, encode(Reply{.ok = outcome.has_value(),
                                     .may_pass = false,
                                     .bytes = outcome ? "" : outcome.error().message}));
  knock();
}

void WorkerSide::arrived(std::string message) {
  const MutexLock lock(mutex_);
  long_ones_.push_back(std::move(message));
  arrived_.notify_all();
}

void WorkerSide::forget_messages() {
  const MutexLock lock(mutex_);
  pending_.clear();
  completed_early_.clear();
  last_was_ok_ = true;
}

// ---- To the host ----

void WorkerSide::write(ToHost type, std::string_view record) {
  const MutexLock lock(out_mutex_);
  while (out_.write(static_cast<std::uint32_t>(type), record) != RingWriter::Outcome::written) {
    knock();
    std::this_thread::sleep_for(kRoomPause);
  }
}

void WorkerSide::knock() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (shared_.host_sleeps.load(std::memory_order_relaxed) == 0) return;
  if (shared_.host_sleeps.exchange(0) == 0) return;
  const std::uint64_t one = 1;
  if (::write(doorbell_, &one, sizeof one) < 0) ::_exit(kNoDoorbell);
}

std::int32_t WorkerSide::call(ToHost type,
                              const std::function<std::string(std::uint32_t)>& encoded) {
  std::uint32_t place = 0;
  {
    const MutexLock lock(calls_mutex_);
    while (free_places_.empty()) place_free_.wait(calls_mutex_);
    place = free_places_.back();
    free_places_.pop_back();
  }
  CallPlace& answer = shared_.calls[place];
  answer.answered.store(0);
  const std::string record = encoded(place);
  if (record.size() > longest_frame(static_cast<std::uint32_t>(type), false)) {
    const MutexLock lock(calls_mutex_);
    free_places_.push_back(place);
    place_free_.notify_one();
    return TRIGGER_E_INVALID;
  }
  bool fits = false;
  {
    const MutexLock lock(out_mutex_);
    fits = record.size() <= out_.longest();
  }
  if (fits) {
    write(type, record);
    knock();
  } else {
    socket_.send(static_cast<std::uint32_t>(type), record);
  }
  while (answer.answered.load(std::memory_order_acquire) == 0) {
    wait_while(answer.answered, 0, kWait);
  }
  const std::int32_t code = answer.code.load(std::memory_order_relaxed);
  const MutexLock lock(calls_mutex_);
  free_places_.push_back(place);
  place_free_.notify_one();
  return code;
}

std::int32_t WorkerSide::complete(std::uint64_t token, Answer answer) {
  const std::int32_t code = call(ToHost::complete, [&](std::uint32_t place) {
    return encode(Complete{.place = place, .token = token, .answer = std::move(answer)});
  });
  const MutexLock lock(mutex_);
  if (const auto found = pending_.find(token); found != pending_.end()) {
    recycle(std::move(found->second));
    pending_.erase(found);
  } else if (code == TRIGGER_OK) {
    completed_early_.insert(token);
  }
  return code;
}

std::int32_t WorkerSide::extend(std::uint64_t token, std::uint32_t ms) {
  return call(ToHost::extend, [&](std::uint32_t place) {
    return encode(Extend{.place = place, .token = token, .ms = ms});
  });
}

std::int32_t WorkerSide::publish(const trigger_publish& request, PublishDone done) {
  std::uint64_t id = 0;
  if (done) {
    const MutexLock lock(calls_mutex_);
    id = ++last_publish_;
    publishes_.emplace(id, std::move(done));
  }
  const std::int32_t code =
      call(ToHost::publish, [&](std::uint32_t place) { return encode(place, id, request); });
  if (code != TRIGGER_OK && id != 0) {
    const MutexLock lock(calls_mutex_);
    publishes_.erase(id);
  }
  return code;
}

void WorkerSide::published(Published published) {
  PublishDone done;
  {
    const MutexLock lock(calls_mutex_);
    const auto found = publishes_.find(published.id);
    if (found == publishes_.end()) return;
    done = std::move(found->second);
    publishes_.erase(found);
  }
  done(published.code, std::move(published.reason));
}

}  // namespace triggerd::plugin::isolation
