#include "dispatch/retry_queue.hpp"

#include <utility>

namespace triggerd::dispatch {

void RetryQueue::add(Monotonic due, DeliveryPtr delivery) {
  waiting_.emplace(due, std::move(delivery));
}

DeliveryPtr RetryQueue::pop_due(Monotonic now) {
  const auto first = waiting_.begin();
  if (first == waiting_.end() || first->first > now) return nullptr;
  DeliveryPtr delivery = std::move(first->second);
  waiting_.erase(first);
  return delivery;
}

Monotonic RetryQueue::next() const {
  return waiting_.empty() ? Monotonic::max() : waiting_.begin()->first;
}

std::vector<DeliveryPtr> RetryQueue::take_retries() {
  std::vector<DeliveryPtr> taken;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    if (at->second->unwritten_dead_letter) {
      ++at;
    } else {
      taken.push_back(std::move(at->second));
      at = waiting_.erase(at);
    }
  }
  return taken;
}

std::vector<DeliveryPtr> RetryQueue::take_all() {
  std::vector<DeliveryPtr> taken;
  taken.reserve(waiting_.size());
  for (auto& [due, delivery] : std::exchange(waiting_, {})) taken.push_back(std::move(delivery));
  return taken;
}

}  // namespace triggerd::dispatch
