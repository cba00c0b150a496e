// Messages whose delay is not over: first in, first out, before they come into their lanes.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "dispatch/delivery.hpp"

namespace triggerd::dispatch {

// Guarded by its dispatcher's lock.
class DelayQueue {
 public:
  struct Waiting {
    Monotonic due{};
    DeliveryPtr delivery;
    std::optional<std::string> key;  // of its lane
  };

  // Nothing overtakes: a message that would be due before the one ahead of it is due with that.
  void add(Waiting waiting) {
    if (!waiting_.empty() && waiting.due < waiting_.back().due) {
      waiting.due = waiting_.back().due;
    }
    waiting_.push_back(std::move(waiting));
  }
  // The next one that is due; nullopt if none is by now.
  std::optional<Waiting> pop_due(Monotonic now) {
    if (waiting_.empty() || waiting_.front().due > now) return std::nullopt;
    Waiting first = std::move(waiting_.front());
    waiting_.pop_front();
    return first;
  }
  // When the first one is due; Monotonic::max() if there is none.
  Monotonic next() const { return waiting_.empty() ? Monotonic::max() : waiting_.front().due; }
  // Takes out all of them.
  std::vector<DeliveryPtr> take_all() {
    std::vector<DeliveryPtr> all;
    all.reserve(waiting_.size());
    for (Waiting& waiting : std::exchange(waiting_, {})) all.push_back(std::move(waiting.delivery));
    return all;
  }

  std::size_t size() const { return waiting_.size(); }
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const Waiting& waiting : waiting_) visit(waiting.delivery);
  }

 private:
  std::deque<Waiting> waiting_;
};

}  // namespace triggerd::dispatch
