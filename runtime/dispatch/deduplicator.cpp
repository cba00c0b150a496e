#include "dispatch/deduplicator.hpp"

#include <cstring>

namespace triggerd::dispatch {

std::size_t Deduplicator::Hash::operator()(const inbox::MessageKey& key) const {
  std::size_t hash = 0;  // it is a digest: any part of it does
  std::memcpy(&hash, key.data(), sizeof hash);
  return hash;
}

Deduplicator::Answer Deduplicator::ask(const Delivery& delivery, Monotonic now) {
  if (!keys_ || !delivery.key) return Answer::go;
  const inbox::MessageKey& key = delivery.key->key;
  const auto [position, is_new] = claims_.try_emplace(key);
  Claim& claim = position->second;
  if (!is_new) return claim.by == &delivery ? Answer::go : Answer::wait;
  if (keys_->has(key, now)) {
    claims_.erase(position);
    return Answer::handled;
  }
  claim.by = &delivery;
  return Answer::go;
}

void Deduplicator::park(DeliveryPtr delivery) {
  claims_[delivery->key->key].parked.push_back(std::move(delivery));
  ++parked_;
}

Deduplicator::End Deduplicator::handled(Delivery& delivery, Monotonic now) {
  End end;
  if (!keys_ || !delivery.key) return end;
  const inbox::KeyList::Added added = keys_->add(delivery.key->key, now);
  *delivery.key = added.row;
  end.is_first_too_many = added.is_first_too_many;
  end.parked = give_up(delivery);
  return end;
}

std::vector<DeliveryPtr> Deduplicator::give_up(const Delivery& delivery) {
  if (!delivery.key) return {};
  const auto found = claims_.find(delivery.key->key);
  if (found == claims_.end() || found->second.by != &delivery) return {};
  std::vector<DeliveryPtr> parked = std::move(found->second.parked);
  claims_.erase(found);
  parked_ -= parked.size();
  return parked;
}

std::vector<DeliveryPtr> Deduplicator::take_parked() {
  std::vector<DeliveryPtr> all;
  all.reserve(parked_);
  for (auto& [key, claim] : claims_) {
    for (DeliveryPtr& delivery : std::exchange(claim.parked, {})) {
      all.push_back(std::move(delivery));
    }
  }
  parked_ = 0;
  return all;
}

}  // namespace triggerd::dispatch
