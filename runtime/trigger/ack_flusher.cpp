#include "trigger/ack_flusher.hpp"

#include <utility>

namespace triggerd::trigger {

AckFlusher::AckFlusher(EventLoop& timer, std::function<void()> write)
    : timer_(timer), write_(std::move(write)) {}

void AckFlusher::add(bool flush_follows) {
  if (++waiting_ >= kFlushAfter) {
    flush();
  } else if (!flush_follows && !armed_.exchange(true)) {
    timer_.after(kFlushWithin, tasks_([this] {
                   armed_ = false;
                   flush();
                 }));
  }
}

void AckFlusher::flush() {
  if (waiting_.exchange(0) > 0) write_();
}

}  // namespace triggerd::trigger
