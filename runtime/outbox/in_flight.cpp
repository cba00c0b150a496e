#include "outbox/in_flight.hpp"

#include <utility>

namespace triggerd::outbox {

void InFlight::add(KeptPublishPtr message) {
  bytes_ += message->bytes();
  order_of_[message->packet_id()] = ++last_;
  messages_.emplace(last_, std::move(message));
}

KeptPublishPtr InFlight::find(std::uint16_t packet_id) const {
  const auto found = order_of_.find(packet_id);
  return found == order_of_.end() ? nullptr : messages_.at(found->second);
}

KeptPublishPtr InFlight::take(std::uint16_t packet_id) {
  const auto found = order_of_.find(packet_id);
  if (found == order_of_.end()) return nullptr;
  auto node = messages_.extract(found->second);
  order_of_.erase(found);
  bytes_ -= node.mapped()->bytes();
  return std::move(node.mapped());
}

std::vector<KeptPublishPtr> InFlight::take_all() {
  std::vector<KeptPublishPtr> taken = all();
  messages_.clear();
  order_of_.clear();
  bytes_ = 0;
  return taken;
}

std::vector<KeptPublishPtr> InFlight::all() const {
  std::vector<KeptPublishPtr> found;
  found.reserve(messages_.size());
  for (const auto& [order, message] : messages_) found.push_back(message);
  return found;
}

}  // namespace triggerd::outbox
