// LaneQueue: which message may go next. Messages of one lane go one after another; lanes do not
// wait for each other. A plain data structure, not thread-safe: the dispatcher's lock is around it.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "dispatch/delivery_queue.hpp"

namespace triggerd::dispatch {

struct Lane {
  std::string key;
  DeliveryQueue waiting;
  // How many of its messages are being handled, are handed over, or wait for their retry: more than
  // one only if they were taken with pop_behind().
  std::size_t held = 0;
};

class LaneQueue {
 public:
  // Appends `count` messages to the lane `key`, in constant time; nullopt: they have no lane.
  void push_all(DeliveryQueue deliveries, std::size_t count, const std::optional<std::string>& key);
  // The next message of the lane that has waited longest; its lane is held until release() or
  // put_back(). Null if there is none.
  DeliveryPtr pop();
  // The one to go after `last`, which was popped and is handled before it: of a lane that is ready,
  // or the next one of the lane of `last`. Null if there is none.
  DeliveryPtr pop_behind(const Delivery& last);
  // The message is done with: the next one of its lane may go.
  void release(Delivery& delivery);
  // The message goes again, before all others of its lane.
  void put_back(DeliveryPtr delivery);

  void for_each(const std::function<void(const DeliveryPtr&)>& visit) const;
  bool has_ready() const { return !ready_.empty() || !laneless_.empty(); }
  // Messages that wait, also in held lanes; not those that were popped.
  std::size_t size() const { return size_; }
  // Takes all of them out, lane by lane.
  std::vector<DeliveryPtr> take_all();

 private:
  static DeliveryPtr pop_of(Lane& lane);

  std::unordered_map<std::string, Lane> lanes_;  // those with messages waiting or held
  Lane nameless_;                                // of the empty key: it is always there
  std::deque<Lane*> ready_;                      // not held, something waiting
  DeliveryQueue laneless_;
  std::size_t size_ = 0;
};

}  // namespace triggerd::dispatch
