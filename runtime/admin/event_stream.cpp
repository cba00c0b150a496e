#include "admin/event_stream.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "admin/json.hpp"
#include "base/clock.hpp"

namespace triggerd::admin {

bool EventChoice::wants(const management::AdminEvent& event) const {
  if (!trigger.empty() && event.trigger != trigger) return false;
  return kinds.empty() || std::find(kinds.begin(), kinds.end(), event.kind) != kinds.end();
}

bool EventChoice::wants_messages() const {
  return kinds.empty() || std::any_of(kinds.begin(), kinds.end(), [](const std::string& kind) {
           return kind == "message" || kind == "dead_letter";
         });
}

void EventStream::offer(const std::string& text) {
  const MutexLock lock(mutex_);
  if (closed_) return;
  if (buffer_.size() + text.size() > kBuffer) {
    ++missed_;
    return;
  }
  buffer_ += text;
  call_wake();
}

void EventStream::missed(std::uint64_t events) {
  const MutexLock lock(mutex_);
  if (closed_ || events == 0) return;
  missed_ += events;
  call_wake();
}

std::string EventStream::take() {
  const MutexLock lock(mutex_);
  woken_ = false;
  std::string text;
  text.swap(buffer_);
  // What was missed came after what is in the buffer.
  if (missed_ > 0) {
    text +=
        fmt::format("event: missed\ndata: {{\"kind\":\"missed\",\"at\":\"{}\",\"count\":{}}}\n\n",
                    time_text(system_clock().wall()), missed_);
    missed_ = 0;
  }
  return text;
}

void EventStream::on_wake(std::function<void()> wake) {
  const MutexLock lock(mutex_);
  wake_ = std::move(wake);
  woken_ = false;
  if (!buffer_.empty() || missed_ > 0 || closed_) call_wake();
}

void EventStream::close() {
  const MutexLock lock(mutex_);
  if (closed_) return;
  closed_ = true;
  woken_ = false;
  call_wake();
}

bool EventStream::closed() const {
  const MutexLock lock(mutex_);
  return closed_;
}

void EventStream::call_wake() {
  if (woken_ || !wake_) return;
  woken_ = true;
  wake_();
}

}  // namespace triggerd::admin
