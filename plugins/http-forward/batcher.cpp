#include "batcher.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <string_view>
#include <utility>

namespace http_forward {
namespace {

std::chrono::steady_clock::time_point first_deadline(const Items& items) {
  auto first = deadline_of(items.front().message);
  for (const Item& item : items) first = std::min(first, deadline_of(item.message));
  return first;
}

Content content_of(const Settings& settings, const Items& items) {
  std::vector<std::string_view> events;
  events.reserve(items.size());
  for (const Item& item : items) events.emplace_back(item.event);
  return make_batch_content(settings, items.front().message, events);
}

// Whether a part of the batch may be accepted although the whole was not: it is too large, or one
// of its messages is at fault.
bool may_be_one_of_them(int status) {
  return status == 400 || status == 409 || status == 413 || status == 415 || status == 422;
}

}  // namespace

std::chrono::steady_clock::time_point deadline_of(const trigger::Message& message) {
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  const std::uint64_t ns = std::min(message.raw().deadline_mono_ns, most);
  return std::chrono::steady_clock::time_point(
      std::chrono::nanoseconds(static_cast<std::int64_t>(ns)));
}

class Batcher::Group : public Exchange {
 public:
  Group(Batcher& batcher, Items items)
      : Exchange(Kind::forward, content_of(batcher.settings_, items), first_deadline(items)),
        batcher_(batcher),
        items_(std::move(items)) {}

  void finished(const Outcome& outcome) override { batcher_.ended(std::move(items_), outcome); }

 private:
  Batcher& batcher_;
  Items items_;
};

void Batcher::add(Item item) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(item));
    if (under_way_) return;
    under_way_ = true;
  }
  send_next();
}

Items Batcher::clear() {
  const std::lock_guard lock(mutex_);
  Items left(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(waiting_.end()));
  for (Items& half : halves_) std::move(half.begin(), half.end(), std::back_inserter(left));
  waiting_.clear();
  halves_.clear();
  under_way_ = false;
  return left;
}

void Batcher::ended(Items items, const Outcome& outcome) {
  const trigger::Verdict verdict = verdict_of(outcome, settings_, std::chrono::system_clock::now());
  if (verdict.code() == TRIGGER_REJECT && items.size() > 1 && may_be_one_of_them(outcome.status)) {
    const auto middle = items.begin() + static_cast<std::ptrdiff_t>(items.size() / 2);
    Items second(std::make_move_iterator(middle), std::make_move_iterator(items.end()));
    items.erase(middle, items.end());
    const std::lock_guard lock(mutex_);
    halves_.push_front(std::move(second));
    halves_.push_front(std::move(items));
  } else {
    for (Item& item : items) item.completion.complete(verdict);
  }
  send_next();
}

void Batcher::send_next() {
  for (;;) {
    Items next = take_next();
    if (next.empty()) return;
    // Only memory can run out here: the messages are dropped without a verdict, which is a retry.
    try {
      client_.submit(std::make_unique<Group>(*this, std::move(next)));
      return;
    } catch (const std::exception&) {
      continue;
    }
  }
}

// Empty if there is nothing to send; then no request is in flight any more.
Items Batcher::take_next() {
  const std::lock_guard lock(mutex_);
  Items next;
  if (!halves_.empty()) {
    next = std::move(halves_.front());
    halves_.pop_front();
    return next;
  }
  std::size_t bytes = 0;
  while (!waiting_.empty() && next.size() < settings_.batch_messages) {
    bytes += waiting_.front().event.size() + 1;
    if (!next.empty() && bytes > settings_.batch_bytes) break;
    next.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  under_way_ = !next.empty();
  return next;
}

}  // namespace http_forward
