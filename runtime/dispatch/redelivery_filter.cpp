#include "dispatch/redelivery_filter.hpp"

#include <algorithm>

namespace triggerd::dispatch {
namespace {

bool same_content(const mqtt::Message& a, const mqtt::Message& b) {
  return a.topic == b.topic &&
         std::equal(a.payload.begin(), a.payload.end(), b.payload.begin(), b.payload.end());
}

}  // namespace

DeliveryPtr RedeliveryFilter::find_repeated(const mqtt::Message& message) {
  if (!candidates_ || !connection_.same_connection(message.receipt)) gather(message.receipt);
  const auto [begin, end] = candidates_->equal_range(message.packet_id);
  for (auto it = begin; it != end; ++it) {
    const DeliveryPtr& first = it->second;
    if (first->acknowledgement_may_have_left() || !same_content(first->message, message)) continue;
    DeliveryPtr found = first;
    candidates_->erase(it);
    return found;
  }
  return nullptr;
}

void RedeliveryFilter::gather(const mqtt::Receipt& receipt) {
  candidates_.emplace();
  connection_ = receipt;
  unfinished_([&](const DeliveryPtr& delivery) {
    if (delivery->message.qos != 1 || delivery->arrived_with(receipt)) return;
    if (delivery->id_forgotten()) return;
    // Its acknowledgement may have arrived, and the packet id be another message's by now, of the
    // same content even. See docs/decisions.
    if (delivery->acknowledgement_may_have_left()) return;
    candidates_->emplace(delivery->message.packet_id, delivery);
  });
}

}  // namespace triggerd::dispatch
