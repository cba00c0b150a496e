#include "trigger/lanes.hpp"

#include <utility>

namespace triggerd::trigger {

void Lanes::push(DeliveryPtr delivery, const std::optional<std::string>& key) {
  ++size_;
  if (!key) {
    laneless_.push_back(std::move(delivery));
    return;
  }
  const auto [position, made] = lanes_.try_emplace(*key);
  Lane& lane = position->second;
  if (made) lane.key = *key;
  delivery->lane = &lane;
  lane.waiting.push_back(std::move(delivery));
  if (lane.held == 0 && lane.waiting.size() == 1) ready_.push_back(&lane);
}

DeliveryPtr Lanes::pop() {
  DeliveryPtr delivery;
  if (!ready_.empty()) {
    Lane& lane = *ready_.front();
    ready_.pop_front();
    delivery = std::move(lane.waiting.front());
    lane.waiting.pop_front();
    lane.held = 1;
  } else if (!laneless_.empty()) {
    delivery = std::move(laneless_.front());
    laneless_.pop_front();
  } else {
    return nullptr;
  }
  --size_;
  return delivery;
}

DeliveryPtr Lanes::pop_behind(const Delivery& last) {
  if (has_ready()) return pop();
  if (last.lane == nullptr || last.lane->waiting.empty()) return nullptr;
  DeliveryPtr delivery = std::move(last.lane->waiting.front());
  last.lane->waiting.pop_front();
  ++last.lane->held;
  --size_;
  return delivery;
}

void Lanes::release(Delivery& delivery) {
  Lane* lane = std::exchange(delivery.lane, nullptr);
  if (lane == nullptr) return;
  if (--lane->held > 0) return;
  if (!lane->waiting.empty()) {
    ready_.push_back(lane);
  } else {
    lanes_.erase(std::string(lane->key));
  }
}

void Lanes::put_back(DeliveryPtr delivery) {
  ++size_;
  if (delivery->lane == nullptr) {
    laneless_.push_front(std::move(delivery));
    return;
  }
  Lane& lane = *delivery->lane;
  lane.waiting.push_front(std::move(delivery));
  if (--lane.held == 0) ready_.push_front(&lane);
}

void Lanes::for_each(const std::function<void(const DeliveryPtr&)>& visit) const {
  for (const auto& [key, lane] : lanes_) {
    for (const DeliveryPtr& delivery : lane.waiting) visit(delivery);
  }
  for (const DeliveryPtr& delivery : laneless_) visit(delivery);
}

std::vector<DeliveryPtr> Lanes::take_all() {
  std::vector<DeliveryPtr> all;
  for (auto& [key, lane] : lanes_) {
    for (DeliveryPtr& delivery : lane.waiting) {
      delivery->lane = nullptr;
      all.push_back(std::move(delivery));
    }
    lane.waiting.clear();
  }
  for (DeliveryPtr& delivery : laneless_) all.push_back(std::move(delivery));
  laneless_.clear();
  ready_.clear();
  size_ = 0;
  std::erase_if(lanes_, [](const auto& entry) { return entry.second.held == 0; });
  return all;
}

}  // namespace triggerd::trigger
