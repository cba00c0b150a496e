#include "dispatch/lane_queue.hpp"

#include <utility>

namespace triggerd::dispatch {

void LaneQueue::push_all(DeliveryQueue deliveries, std::size_t count,
                         const std::optional<std::string>& key) {
  if (count == 0) return;
  size_ += count;
  if (!key) {
    laneless_.append(std::move(deliveries));
    return;
  }
  Lane* lane = &nameless_;
  if (!key->empty()) {
    const auto [position, made] = lanes_.try_emplace(*key);
    lane = &position->second;
    if (made) lane->key = *key;
  }
  if (lane->held == 0 && lane->waiting.empty()) ready_.push_back(lane);
  lane->waiting.append(std::move(deliveries));
}

DeliveryPtr LaneQueue::pop_of(Lane& lane) {
  DeliveryPtr delivery = lane.waiting.pop_front();
  delivery->lane = &lane;
  ++lane.held;
  return delivery;
}

DeliveryPtr LaneQueue::pop() {
  DeliveryPtr delivery;
  if (!ready_.empty()) {
    delivery = pop_of(*ready_.front());
    ready_.pop_front();
  } else if (!laneless_.empty()) {
    delivery = laneless_.pop_front();
  } else {
    return nullptr;
  }
  --size_;
  return delivery;
}

DeliveryPtr LaneQueue::pop_behind(const Delivery& last) {
  if (has_ready()) return pop();
  if (last.lane == nullptr || last.lane->waiting.empty()) return nullptr;
  --size_;
  return pop_of(*last.lane);
}

void LaneQueue::release(Delivery& delivery) {
  Lane* lane = std::exchange(delivery.lane, nullptr);
  if (lane == nullptr) return;
  if (--lane->held > 0) return;
  if (!lane->waiting.empty()) {
    ready_.push_back(lane);
  } else if (lane != &nameless_) {
    lanes_.erase(std::string(lane->key));
  }
}

void LaneQueue::put_back(DeliveryPtr delivery) {
  ++size_;
  if (delivery->lane == nullptr) {
    laneless_.push_front(std::move(delivery));
    return;
  }
  Lane& lane = *delivery->lane;
  lane.waiting.push_front(std::move(delivery));
  if (--lane.held == 0) ready_.push_front(&lane);
}

void LaneQueue::for_each(const std::function<void(const DeliveryPtr&)>& visit) const {
  nameless_.waiting.for_each(visit);
  for (const auto& [key, lane] : lanes_) lane.waiting.for_each(visit);
  laneless_.for_each(visit);
}

std::vector<DeliveryPtr> LaneQueue::take_all() {
  std::vector<DeliveryPtr> all;
  all.reserve(size_);
  const auto take = [&](DeliveryQueue& queue) {
    while (!queue.empty()) all.push_back(queue.pop_front());
  };
  take(nameless_.waiting);
  for (auto& [key, lane] : lanes_) take(lane.waiting);
  take(laneless_);
  for (const DeliveryPtr& delivery : all) delivery->lane = nullptr;
  ready_.clear();
  size_ = 0;
  std::erase_if(lanes_, [](const auto& entry) { return entry.second.held == 0; });
  return all;
}

}  // namespace triggerd::dispatch
