#include "trigger/intake.hpp"

#include <algorithm>

#include "mqtt/publish_head.hpp"

namespace triggerd::trigger {
namespace {

mqtt::Message message_of(const std::string& topic, const std::string& payload) {
  auto* kept_topic = new std::string(topic);
  auto* kept_payload = new std::string(payload);
  mqtt::Message message;
  message.buffers = mqtt::Buffers(kept_topic, kept_payload, [](void* first, void* second) {
    delete static_cast<std::string*>(first);
    delete static_cast<std::string*>(second);
  });
  message.topic = *kept_topic;
  message.payload = {reinterpret_cast<const std::uint8_t*>(kept_payload->data()),
                     kept_payload->size()};
  return message;
}

std::string key_of(std::uint16_t packet_id) {
  return fmt::format("r-{}", packet_id);
}

bool same_content(const mqtt::Message& a, const mqtt::Message& b) {
  return a.topic == b.topic &&
         std::equal(a.payload.begin(), a.payload.end(), b.payload.begin(), b.payload.end());
}

}  // namespace

Intake::Intake(const DeliveryHome& home, Dispatcher& dispatcher, inbox::Inbox& inbox,
               MessageIds& ids, Log& log)
    : home_(home),
      dispatcher_(dispatcher),
      inbox_(inbox),
      writer_(*home.writer),
      ids_(ids),
      log_(log) {}

// ---- From earlier processes ----

Result<> Intake::load() {
  auto found = inbox_.staged(home_.client_id);
  if (!found) return tl::make_unexpected(found.error());
  MutexLock lock(mutex_);
  for (inbox::StagedMessage& staged : *found) {
    if (const auto id = id_of_key5(staged.key)) {
      if (home_.mqtt5) {
        known_[*id] = {std::move(staged.message_id), {}};
      } else {
        // The alias speaks 3.1.1 now, where the library has no use for it.
        writer_.unstage({home_.client_id, staged.key}, {});
      }
      continue;
    }
    staged_[staged.key] = {std::move(staged.message_id), std::move(staged.packet)};
  }
  return {};
}

DeliveryPtr Intake::make_stored(const inbox::StoredMessage& stored) const {
  mqtt::Message message = message_of(stored.topic, stored.payload);
  message.qos = stored.qos;
  message.retained = stored.retained;
  message.packet_id = stored.packet_id;
  message.received = stored.received;
  message.mqtt5 = stored.properties.has_value();
  message.properties = stored.properties.value_or("");
  message.expires = stored.expires.value_or(Monotonic::max());
  auto delivery = std::make_shared<Delivery>(home_, std::move(message), stored.message_id);
  delivery->attempts = stored.attempts;
  delivery->failed = stored.attempts;
  delivery->stored_as(stored.number);
  return delivery;
}

Result<bool> Intake::take_backlog(std::size_t limit) {
  if (limit == 0) return false;
  auto found = inbox_.messages(home_.trigger, backlog_after_, limit);
  if (!found) return tl::make_unexpected(found.error());
  std::vector<DeliveryPtr> deliveries;
  deliveries.reserve(found->size());
  for (const inbox::StoredMessage& message : *found) {
    backlog_after_ = message.number;
    deliveries.push_back(make_stored(message));
  }
  const bool all = deliveries.size() < limit;
  if (!deliveries.empty()) dispatcher_.accept(std::move(deliveries));
  return all;
}

void Intake::take_stored(const inbox::StoredMessage& message) {
  dispatcher_.accept({make_stored(message)});
}

// ---- Messages ----

void Intake::take(mqtt::Message message) {
  if (message.qos == 1 && is_redelivery(message)) return;
  const std::uint16_t packet_id = message.packet_id;
  const bool qos2 = message.qos == 2;
  const bool with_publish = message.mqtt5;  // else QoS 2 comes with its PUBREL
  std::string id;
  std::string key;
  if (qos2 && home_.acknowledge != config::Acknowledge::received) {
    MutexLock lock(mutex_);
    key = with_publish ? key5_of(packet_id) : key_of(packet_id);
    id = staged_id(key);
    staged_.erase(key);
  }
  auto delivery = pool_.make(home_, std::move(message), id.empty() ? ids_.next() : std::move(id));
  delivery->take_in();
  if (!key.empty()) {
    delivery->staged_key = std::move(key);
    MutexLock lock(mutex_);
    if (with_publish) {
      known_[packet_id] = {delivery->id, delivery};
    } else {
      handed_over_[packet_id] = delivery;
    }
    if (handed_over_.size() >= sweep_at_) {
      std::erase_if(handed_over_, [](const auto& entry) { return entry.second.expired(); });
      sweep_at_ = kSweep + 2 * handed_over_.size();
    }
  }
  batch_.push_back(std::move(delivery));
}

// A message that the server sends again because its acknowledgement did not arrive. Where the first
// one is still here, that one gets the acknowledgement, and no second is made.
bool Intake::is_redelivery(const mqtt::Message& message) {
  if (home_.acknowledge == config::Acknowledge::received) return false;
  if (!message.dup) {
    redelivered_.reset();  // servers repeat first what they repeat
    const int step = message.packet_id - last_packet_id_;
    if (step <= 0 && step > -0x8000) ids_come_back_early_ = last_packet_id_ != 0;
    last_packet_id_ = message.packet_id;
    return false;
  }
  if (!redelivered_) {
    redelivered_.emplace();
    dispatcher_.for_each_unfinished([&](const DeliveryPtr& delivery) {
      if (delivery->message.qos != 1 || delivery->arrived_with(message.receipt)) return;
      redelivered_->emplace(delivery->message.packet_id, delivery);
    });
  }
  const auto [begin, end] = redelivered_->equal_range(message.packet_id);
  for (auto it = begin; it != end; ++it) {
    const DeliveryPtr& first = it->second;
    if (!same_content(first->message, message)) continue;
    // Its acknowledgement may have arrived, and the packet id be another message's by now, where
    // the server gives out the lowest free one instead of the next. See docs/decisions.
    if (ids_come_back_early_ && first->acknowledged()) continue;
    first->attach(message.receipt);
    redelivered_->erase(it);
    return true;
  }
  return false;
}

void Intake::keep(const DeliveryPtr& delivery) {
  if (delivery->staged_key.empty() || delivery->key_forgotten()) {
    writer_.accept({delivery});
  } else if (delivery->keeps_key()) {
    writer_.accept_and_stage({home_.client_id, delivery->staged_key}, delivery);
  } else {
    writer_.accept_staged({home_.client_id, delivery->staged_key}, delivery);
  }
}

void Intake::refuse(mqtt::Message& message) {
  if (message.qos < 2 || message.mqtt5 || home_.acknowledge == config::Acknowledge::received) {
    message.receipt.release();
    return;
  }
  const std::string key = key_of(message.packet_id);
  {
    MutexLock lock(mutex_);
    staged_.erase(key);
  }
  writer_.unstage({home_.client_id, key}, [receipt = message.receipt]() mutable {
    receipt.release();
    receipt.flush();
  });
}

void Intake::end_batch() {
  hand_over_batch();
  // PUBREC and PUBCOMP wait for the disk alone, so there is nothing to gain from a grace.
  if (std::exchange(disk_is_awaited_, false)) writer_.hurry();
}

void Intake::hand_over_batch() {
  if (batch_.empty()) return;
  std::vector<inbox::EntryPtr> to_inbox;
  for (const DeliveryPtr& delivery : batch_) {
    if (!delivery->goes_to_inbox()) continue;
    if (delivery->staged_key.empty()) {
      to_inbox.push_back(delivery);
    } else {
      if (!to_inbox.empty()) writer_.accept(std::exchange(to_inbox, {}));  // in their order
      keep(delivery);
      disk_is_awaited_ = true;
    }
  }
  dispatcher_.accept(std::exchange(batch_, {}));
  if (!to_inbox.empty()) writer_.accept(std::move(to_inbox));
}

// ---- QoS 2 ----

void Intake::repeated_pubrel(std::uint16_t packet_id, mqtt::Receipt receipt) {
  if (pubrel5(packet_id, receipt)) return;
  DeliveryPtr delivery;
  {
    MutexLock lock(mutex_);
    const auto found = handed_over_.find(packet_id);
    if (found != handed_over_.end()) {
      delivery = found->second.lock();
      if (!delivery) handed_over_.erase(found);
    }
  }
  if (delivery) {
    delivery->attach(std::move(receipt));
    return;
  }
  // Its transaction may not be on disk yet; this one comes after it.
  writer_.unstage({home_.client_id, key_of(packet_id)}, [receipt]() mutable {
    receipt.release();
    receipt.flush();
  });
}

std::string Intake::staged_id(const std::string& key) {
  const auto found = staged_.find(key);
  return found == staged_.end() ? std::string() : found->second.message_id;
}

std::vector<std::string> Intake::keys() {
  MutexLock lock(mutex_);
  std::vector<std::string> keys;
  for (const auto& [key, staged] : staged_) keys.push_back(key);
  for (const auto& [id, known] : known_) keys.push_back(key5_of(id));
  return keys;
}

std::optional<std::string> Intake::get(const std::string& key) {
  MutexLock lock(mutex_);
  if (const auto id = id_of_key5(key); id && known_.contains(*id)) return packet5_of(*id);
  const auto found = staged_.find(key);
  if (found == staged_.end()) return std::nullopt;
  return found->second.packet;
}

void Intake::put(const std::string& key, std::string packet, mqtt::Receipt receipt) {
  if (const auto packet_id = id_of_key5(key)) {
    put5(*packet_id, std::move(receipt));
    return;
  }
  std::string id;
  {
    MutexLock lock(mutex_);
    // Sent again before PUBREL it is the same message, with the same id.
    const auto head = mqtt::read_publish_head(packet);
    if (head && head->duplicate) id = staged_id(key);
    if (id.empty()) id = ids_.next();
    staged_[key] = {id, packet};
  }
  disk_is_awaited_ = true;
  writer_.stage({home_.client_id, key}, std::move(id), std::move(packet), [receipt]() mutable {
    receipt.release();
    receipt.flush();
  });
}

// The server took responsibility off itself with our PUBREC, and has forgotten: so these are ours.
void Intake::session_lost() {
  session_lost5();
  std::map<std::string, Staged> orphans;
  {
    MutexLock lock(mutex_);
    orphans = std::exchange(staged_, {});
    handed_over_.clear();
  }
  for (auto& [key, staged] : orphans) {
    const auto head = mqtt::read_publish_head(staged.packet);
    if (!head) {
      log_.error("inbox.staged", {{"trigger", home_.trigger}, {"message", staged.message_id}},
                 "a staged message cannot be read: it is no whole PUBLISH of QoS 1 or 2");
      continue;
    }
    mqtt::Message message = message_of(std::string(head->topic), staged.packet.substr(head->size));
    message.qos = 2;
    message.retained = head->retained;
    message.received = std::chrono::system_clock::now();
    auto delivery =
        std::make_shared<Delivery>(home_, std::move(message), std::move(staged.message_id));
    delivery->staged_key = key;
    batch_.push_back(std::move(delivery));
  }
  if (!orphans.empty()) {
    log_.warn("inbox.adopted", {{"trigger", home_.trigger}},
              "{} QoS 2 message{} of a session that the server has lost {} accepted all the same",
              orphans.size(), orphans.size() == 1 ? "" : "s", orphans.size() == 1 ? "is" : "are");
  }
}

}  // namespace triggerd::trigger
