#include "dispatch/intake.hpp"

#include <algorithm>

#include "mqtt/packet/publish_head.hpp"

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

// The acknowledgement that waits for a packet id to be kept or forgotten.
class WaitingReceipt final : public inbox::PacketIdWaiter {
 public:
  WaitingReceipt(const DeliveryHome& home, mqtt::Receipt receipt)
      : home_(home), receipt_(std::move(receipt)) {
    ++home_.ids_queued;
  }
  void done() override {
    --home_.ids_queued;
    receipt_.release();
  }
  void flush_acknowledgement() override { receipt_.flush(); }

 private:
  const DeliveryHome& home_;
  mqtt::Receipt receipt_;
};

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
  if (auto accepted = accept_staged(); !accepted) return accepted;
  auto found = inbox_.awaiting_pubrel(home_.client_id);
  if (!found) return tl::make_unexpected(found.error());
  for (inbox::AwaitingPubrel& one : *found) {
    known_[one.packet_id] = {std::move(one.message_id), {}};
    // "received" writes nothing of PUBREL: what stays would mean another message one day.
    if (!keeps_ids()) forget_id(one.packet_id, {});
  }
  return {};
}

// Older versions have handed a QoS 2 message of 3.1.1 on with its PUBREL. The server may have been
// told that it is ours, and may not: either way it is a message, and its packet id is known.
Result<> Intake::accept_staged() {
  auto found = inbox_.staged(home_.client_id);
  if (!found) return tl::make_unexpected(found.error());
  for (const inbox::StagedMessage& staged : *found) {
    const auto head = mqtt::read_publish_head(staged.packet);
    if (!head) {
      log_.error("inbox.staged", {{"trigger", home_.trigger}, {"message", staged.message_id}},
                 "a staged message cannot be read: it is no whole PUBLISH of QoS 1 or 2");
      continue;
    }
    inbox::StoredMessage message;
    message.trigger = home_.trigger;
    message.topic = head->topic;
    message.payload = staged.packet.substr(head->size);
    message.qos = 2;
    message.retained = head->retained;
    message.packet_id = head->packet_id;
    message.received = system_clock().wall();
    if (auto done = inbox_.accept_staged(home_.client_id, staged, message); !done) return done;
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

void Intake::take(mqtt::Message&& message) {
  if (is_here(message)) return;
  const bool qos2 = message.qos == 2;
  const std::uint16_t packet_id = message.packet_id;
  auto delivery = pool_.make(home_, std::move(message), ids_.next());
  delivery->take_in();
  if (qos2) {
    delivery->keeps_id = keeps_ids();
    known_[packet_id] = {delivery->id, delivery};
  }
  batch_.push_back(std::move(delivery));
}

// The server sends it again, and the first one gets its acknowledgement.
bool Intake::is_here(const mqtt::Message& message) {
  if (message.qos == 1) return is_redelivery(message);
  return message.qos == 2 && is_known(message);
}

// A message that the server sends again because its acknowledgement did not arrive. Where the first
// one is still here, and it is certain that it is the same, that one gets the acknowledgement, and
// no second is made.
bool Intake::is_redelivery(const mqtt::Message& message) {
  if (!keeps_ids()) return false;
  if (!message.dup) {
    redelivered_.reset();  // servers repeat first what they repeat
    return false;
  }
  if (!redelivered_ || !redelivered_on_.same_connection(message.receipt)) {
    redelivered_.emplace();
    redelivered_on_ = message.receipt;
    dispatcher_.for_each_unfinished([&](const DeliveryPtr& delivery) {
      if (delivery->message.qos != 1 || delivery->arrived_with(message.receipt)) return;
      if (delivery->id_forgotten()) return;
      // Its acknowledgement may have arrived, and the packet id be another message's by now, of the
      // same content even. See docs/decisions.
      if (delivery->acknowledgement_may_have_left()) return;
      redelivered_->emplace(delivery->message.packet_id, delivery);
    });
  }
  const auto [begin, end] = redelivered_->equal_range(message.packet_id);
  for (auto it = begin; it != end; ++it) {
    const DeliveryPtr& first = it->second;
    if (first->acknowledgement_may_have_left() || !same_content(first->message, message)) continue;
    first->attach(message.receipt);
    redelivered_->erase(it);
    return true;
  }
  return false;
}

// A QoS 2 message that the server sends again before its PUBREL: the same as before, whatever its
// content (MQTT 5.0, section 4.3.3). Without DUP it is sent for the first time (section 3.3.1.1):
// the server has forgotten the one before, such as one that has expired, and has used its packet id
// for another message.
bool Intake::is_known(const mqtt::Message& message) {
  const auto known = known_.find(message.packet_id);
  if (known == known_.end()) return false;
  if (!message.dup) {
    if (const DeliveryPtr before = known->second.delivery.lock()) before->forget_id();
    known_.erase(known);
    return false;
  }
  if (!keeps_ids()) return true;
  if (const DeliveryPtr first = known->second.delivery.lock()) {
    first->attach(message.receipt);
  } else {
    // It is safe, or will be with what is queued already.
    keep_id(message.packet_id, known->second.message_id, message.receipt);
  }
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
  if (std::exchange(disk_is_awaited_, false)) writer_.hurry();
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

// ---- QoS 2 ----

void Intake::keep_id(std::uint16_t packet_id, const std::string& message_id,
                     mqtt::Receipt receipt) {
  writer_.keep_id({home_.client_id, packet_id}, message_id,
                  std::make_unique<WaitingReceipt>(home_, std::move(receipt)));
  disk_is_awaited_ = true;
}

void Intake::forget_id(std::uint16_t packet_id, mqtt::Receipt receipt) {
  writer_.forget_id({home_.client_id, packet_id},
                    std::make_unique<WaitingReceipt>(home_, std::move(receipt)));
  disk_is_awaited_ = true;
}

// The packet id is the server's again once PUBCOMP is there: by then no row may be left that would
// take its next message for a repetition. One that is not known may have been forgotten in a
// transaction that is not on disk yet: this one comes after it.
void Intake::pubrel(std::uint16_t packet_id, mqtt::Receipt receipt) {
  const auto known = known_.find(packet_id);
  if (known != known_.end()) {
    if (const DeliveryPtr delivery = known->second.delivery.lock()) delivery->forget_id();
    known_.erase(known);
  }
  if (!keeps_ids()) {
    receipt.release();
    return;
  }
  forget_id(packet_id, std::move(receipt));
}

// The server has forgotten what it sent, and its packet ids mean other messages from now on. The
// messages themselves were accepted.
void Intake::session_lost() {
  redelivered_.reset();
  const auto forget = [](const DeliveryPtr& delivery) { delivery->forget_id(); };
  dispatcher_.for_each_unfinished(forget);
  std::for_each(batch_.begin(), batch_.end(), forget);
  for (const auto& [packet_id, known] : std::exchange(known_, {})) {
    if (const DeliveryPtr delivery = known.delivery.lock()) delivery->forget_id();
    if (keeps_ids()) forget_id(packet_id, {});
  }
}

}  // namespace triggerd::dispatch
