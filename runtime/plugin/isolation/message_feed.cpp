#include "plugin/isolation/message_feed.hpp"

#include <algorithm>
#include <limits>

namespace triggerd::plugin::isolation {
namespace {

// As many messages are handed over ahead as the service handles in this time.
constexpr std::uint64_t kAheadNs = 500'000;
constexpr std::size_t kMostAhead = 255;

// A slow service gets one message after another: a reload has to wait for each that is in a
// worker's hands.
std::size_t ahead(std::uint64_t busy_ns) {
  if (busy_ns == 0) return 0;
  return std::min<std::size_t>(kMostAhead, kAheadNs / busy_ns);
}

}  // namespace

void MessageFeed::close() {
  open_ = false;
  backlog_.clear();
}

void MessageFeed::feed(WorkSource& source, std::uint64_t busy_ns) {
  while (!backlog_.empty()) {
    const auto& [type, record] = backlog_.front();
    if (!write(type, record)) break;
    backlog_.pop_front();
  }
  take_from(source, busy_ns);
  if (std::exchange(written_, false)) wake_worker();
}

// While a worker that was started again is not ready, a message could only be lost with it.
void MessageFeed::take_from(WorkSource& source, std::uint64_t busy_ns) {
  while (open_ && backlog_.empty() && protocol_error_.empty()) {
    const WorkSource::Taken taken = source.poll(ahead(busy_ns));
    if (taken.message == nullptr) return;
    if (taken.message == &WorkSource::kProbe) {
      if (!write(ToWorker::probe, {})) backlog_.emplace_back(ToWorker::probe, "");
    } else if (!send(*taken.message, taken.follows)) {
      return;
    }
  }
}

// False: it waits for room.
bool MessageFeed::send(const trigger_message& message, bool follows) {
  encode(message, follows, record_);
  if (record_.size() > ring_.longest()) {
    socket_.send(static_cast<std::uint32_t>(ToWorker::message), record_);
    if (write(ToWorker::elsewhere, {})) return true;
    backlog_.emplace_back(ToWorker::elsewhere, "");
    return false;
  }
  if (write(ToWorker::message, record_)) return true;
  backlog_.emplace_back(ToWorker::message, record_);
  return false;
}

bool MessageFeed::write(ToWorker type, std::string_view record) {
  switch (ring_.write(static_cast<std::uint32_t>(type), record)) {
    case RingWriter::Outcome::written:
      written_ = true;
      return true;
    case RingWriter::Outcome::full:
      return false;
    case RingWriter::Outcome::protocol_error:
      protocol_error_ = "invalid ring read position";
  }
  return false;
}

void MessageFeed::wake_worker() {
  shared_.bell.fetch_add(1);
  if (shared_.at_the_bell.load() != 0) wake(shared_.bell, std::numeric_limits<int>::max());
}

}  // namespace triggerd::plugin::isolation
