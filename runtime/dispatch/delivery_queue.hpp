// Deliveries one behind another, linked through themselves: no memory of its own, and another queue
// is appended at once, however long it is. A plain data structure, not thread-safe.
#pragma once

#include <utility>

#include "base/cache.hpp"
#include "dispatch/delivery.hpp"

namespace triggerd::dispatch {

class DeliveryQueue {
 public:
  DeliveryQueue() = default;
  DeliveryQueue(DeliveryQueue&& other) noexcept
      : first_(std::move(other.first_)), last_(std::exchange(other.last_, nullptr)) {}
  DeliveryQueue& operator=(DeliveryQueue&&) = delete;
  // One by one, since each owns the next: their destructors must not nest.
  ~DeliveryQueue() {
    while (!empty()) pop_front();
  }

  bool empty() const { return first_ == nullptr; }

  // `delivery` is in no other queue.
  void push_back(DeliveryPtr delivery) {
    Delivery* const added = delivery.get();
    (last_ == nullptr ? first_ : last_->behind) = std::move(delivery);
    last_ = added;
  }
  void push_front(DeliveryPtr delivery) {
    if (last_ == nullptr) last_ = delivery.get();
    delivery->behind = std::move(first_);
    first_ = std::move(delivery);
  }
  void append(DeliveryQueue other) {
    if (other.empty()) return;
    (last_ == nullptr ? first_ : last_->behind) = std::move(other.first_);
    last_ = std::exchange(other.last_, nullptr);
  }
  // The queue is not empty.
  DeliveryPtr pop_front() {
    DeliveryPtr taken = std::move(first_);
    first_ = std::move(taken->behind);
    if (first_ == nullptr) {
      last_ = nullptr;
    } else {
      // It comes next, and another thread made it.
      fetch_to_write(first_.get(), Delivery::kWithoutContent);
    }
    return taken;
  }

  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const DeliveryPtr* at = &first_; *at != nullptr; at = &(*at)->behind) visit(*at);
  }

 private:
  DeliveryPtr first_;
  Delivery* last_ = nullptr;
};

}  // namespace triggerd::dispatch
