#include "outbox/backlog.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace triggerd::outbox {

void Backlog::append(KeptPublishPtr message) {
  bytes_ += message->bytes();
  message->in_memory = true;
  queue_.push_back(std::move(message));
}

void Backlog::push(KeptPublishPtr message) {
  if (behind_ == 0 && queue_.size() < kMessages && bytes_ < kBytes) {
    append(std::move(message));
  } else {
    message->in_memory = false;
    ++behind_;
  }
}

void Backlog::put_back(const std::vector<KeptPublishPtr>& messages) {
  for (const KeptPublishPtr& message : messages) bytes_ += message->bytes();
  queue_.insert(queue_.begin(), messages.begin(), messages.end());
}

void Backlog::note_written(const KeptPublish& message, std::int64_t number) {
  last_written_ = std::max(last_written_, number);
  if (message.in_memory) last_in_memory_ = std::max(last_in_memory_, number);
}

KeptPublishPtr Backlog::pop() {
  KeptPublishPtr message = std::move(queue_.front());
  queue_.pop_front();
  bytes_ -= message->bytes();
  return message;
}

void Backlog::forget_behind(std::uint64_t messages) {
  behind_ -= std::min(behind_, messages);
}

void Backlog::remove(const KeptPublish& message) {
  const auto found = std::find_if(queue_.begin(), queue_.end(),
                                  [&](const KeptPublishPtr& one) { return one.get() == &message; });
  if (found == queue_.end()) return;
  bytes_ -= message.bytes();
  queue_.erase(found);
}

std::vector<KeptPublishPtr> Backlog::take_all() {
  std::vector<KeptPublishPtr> all(std::make_move_iterator(queue_.begin()),
                                  std::make_move_iterator(queue_.end()));
  queue_.clear();
  bytes_ = 0;
  return all;
}

std::vector<KeptPublishPtr> Backlog::take_expired(Monotonic now) {
  std::vector<KeptPublishPtr> expired;
  const auto end = std::remove_if(queue_.begin(), queue_.end(), [&](KeptPublishPtr& message) {
    if (!message->has_expired(now)) return false;
    bytes_ -= message->bytes();
    expired.push_back(std::move(message));
    return true;
  });
  queue_.erase(end, queue_.end());
  return expired;
}

void Backlog::forget_that_sent() {
  for (const KeptPublishPtr& message : queue_) message->may_be_sent = false;
}

// Some of it may have been written, and stayed in memory, after reading was asked for.
void Backlog::add_page(const std::vector<KeptPublishPtr>& page) {
  for (const KeptPublishPtr& message : page) {
    if (message->number <= last_in_memory_) continue;
    last_in_memory_ = message->number;
    last_written_ = std::max(last_written_, message->number);
    forget_behind();
    append(message);
  }
}

}  // namespace triggerd::outbox
