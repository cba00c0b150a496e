#include "dispatch/intake.hpp"

#include <algorithm>

namespace triggerd::dispatch {
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

}  // namespace

Intake::Intake(const DeliveryHome& home, Dispatcher& dispatcher, inbox::Inbox& inbox,
               MessageIds& ids, const Clock& clock, Log& log)
    : home_(home),
      dispatcher_(dispatcher),
      messages_(inbox.messages()),
      writer_(*home.writer),
      ids_(ids),
      redeliveries_([&dispatcher](const RedeliveryFilter::Visit& visit) {
        dispatcher.for_each_unfinished(visit);
      }),
      qos2_(home, inbox.packet_ids(), clock, log) {}

// ---- From earlier processes ----

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
  auto found = messages_.page(home_.trigger, backlog_after_, limit);
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
  dispatcher_.accept({make_stored(message)}, true);
}

// ---- Messages ----

void Intake::take(mqtt::Message&& message) {
  if (is_here(message)) return;
  const bool qos2 = message.qos == 2;
  const std::uint16_t packet_id = message.packet_id;
  auto delivery = pool_.make(home_, std::move(message), ids_.next());
  delivery->take_in();
  if (qos2) {
    delivery->keeps_id = qos2_.keeps_ids();
    qos2_.add(packet_id, delivery);
  }
  batch_.push_back(std::move(delivery));
}

// The server sends it again, and the first one gets its acknowledgement.
bool Intake::is_here(const mqtt::Message& message) {
  if (message.qos == 2) return qos2_.take_repeated(message);
  if (message.qos == 0 || home_.acknowledge == config::Acknowledge::received) return false;
  const DeliveryPtr first = redeliveries_.find(message);
  if (first == nullptr) return false;
  first->attach(message.receipt);
  return true;
}

void Intake::keep(const DeliveryPtr& delivery) {
  if (!delivery->keeps_id || delivery->id_forgotten()) {
    writer_.accept({delivery});
  } else {
    ++delivery->id_queued;
    ++home_.ids_queued;
    writer_.accept({home_.client_id, delivery->message.packet_id}, delivery);
  }
}

// It may have been wanted when it came first, and not be safe yet.
void Intake::refuse(mqtt::Message& message) {
  if (!is_here(message)) message.receipt.release();
}

void Intake::end_batch() {
  hand_over_batch();
  // PUBREC and PUBCOMP wait for the disk alone, so there is nothing to gain from a grace.
  const bool by_qos2 = qos2_.take_disk_awaited();
  if (std::exchange(disk_is_awaited_, false) || by_qos2) writer_.hurry();
}

void Intake::hand_over_batch() {
  if (batch_.empty()) return;
  std::vector<inbox::EntryPtr> to_inbox;
  for (const DeliveryPtr& delivery : batch_) {
    if (!delivery->goes_to_inbox()) continue;
    if (!delivery->keeps_id) {
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

void Intake::session_lost() {
  redeliveries_.reset();
  const auto forget = [](const DeliveryPtr& delivery) { delivery->forget_id(); };
  dispatcher_.for_each_unfinished(forget);
  std::for_each(batch_.begin(), batch_.end(), forget);
  qos2_.session_lost();
}

}  // namespace triggerd::dispatch
