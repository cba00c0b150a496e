// Deliveries that wait for a time: for their next attempt, or to be written as the dead letters
// that could not be written yet (Delivery::unwritten_dead_letter).
#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "base/clock.hpp"
#include "dispatch/delivery.hpp"

namespace triggerd::dispatch {

// Guarded by its dispatcher's lock.
class RetryQueue {
 public:
  void add(Monotonic due, DeliveryPtr delivery);
  // The one that is due first; null if none is due by now.
  DeliveryPtr pop_due(Monotonic now);
  // When the first one is due; Monotonic::max() if there is none.
  Monotonic next() const;
  // Takes out those that wait for an attempt, in the order in which they are due.
  std::vector<DeliveryPtr> take_retries();
  // Takes out all of them.
  std::vector<DeliveryPtr> take_all();

  std::size_t size() const { return waiting_.size(); }
  bool empty() const { return waiting_.empty(); }
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [due, delivery] : waiting_) visit(delivery);
  }

 private:
  std::multimap<Monotonic, DeliveryPtr> waiting_;
};

}  // namespace triggerd::dispatch
