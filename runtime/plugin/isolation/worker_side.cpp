#include "plugin/isolation/worker_side.hpp"

#include <unistd.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace triggerd::plugin::isolation {
namespace {

constexpr std::int64_t kWait = 1'000'000'000;  // then it looks again, in case a wake-up was lost
constexpr std::size_t kSpare = 64;
constexpr int kProtocolError = 72;

}  // namespace

WorkerSide::WorkerSide(SharedLayout& shared, WorkerSocket& socket, int doorbell, const Clock& clock)
    : shared_(shared),
      clock_(clock),
      to_host_(shared, doorbell),
      caller_(shared, socket, to_host_),
      ring_(shared.to_worker, shared.to_worker_bytes) {}

std::uint64_t WorkerSide::now_ns() const {
  const auto since_epoch = clock_.now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(since_epoch).count());
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
    to_host_.wake_host();
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
    if (outcome == RingReader::Outcome::protocol_error) ::_exit(kProtocolError);
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
    if (!decode_message(scratch_, *owned)) ::_exit(kProtocolError);
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
  to_host_.write(verdict);
  // Asked after it was written: a host that fell asleep before that saw the same messages waiting,
  // and so looks again soon.
  if (nothing_waits()) to_host_.wake_host();
}

bool WorkerSide::nothing_waits() {
  const MutexLock lock(mutex_);
  return ring_.empty();
}

void WorkerSide::probed(const Result<>& outcome) {
  to_host_.write(ToHost::probed, encode(Reply{.ok = outcome.has_value(),
                                              .may_pass = false,
                                              .bytes = outcome ? "" : outcome.error().message}));
  to_host_.wake_host();
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

// ---- Host functions ----

std::int32_t WorkerSide::complete(std::uint64_t token, Answer answer) {
  const std::int32_t code = caller_.complete(token, std::move(answer));
  const MutexLock lock(mutex_);
  if (const auto found = pending_.find(token); found != pending_.end()) {
    recycle(std::move(found->second));
    pending_.erase(found);
  } else if (code == TRIGGER_OK) {
    completed_early_.insert(token);
  }
  return code;
}

}  // namespace triggerd::plugin::isolation
