#include "dispatch/qos2_store.hpp"

#include "mqtt/packet/publish_head.hpp"

namespace triggerd::dispatch {
namespace {

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

}  // namespace

Qos2Store::Qos2Store(const DeliveryHome& home, inbox::PacketIds& packet_ids, const Clock& clock,
                     Log& log)
    : home_(home), packet_ids_(packet_ids), writer_(*home.writer), clock_(clock), log_(log) {}

// ---- From earlier processes ----

Result<> Qos2Store::load() {
  if (auto accepted = accept_staged(); !accepted) return accepted;
  auto found = packet_ids_.awaiting_pubrel(home_.client_id);
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
Result<> Qos2Store::accept_staged() {
  auto found = packet_ids_.staged(home_.client_id);
  if (!found) return tl::make_unexpected(found.error());
  for (const inbox::StagedMessage& staged : *found) {
    const auto head = mqtt::read_publish_head(staged.packet);
    if (!head) {
      log_.error("inbox.staged", {{"trigger", home_.trigger}, {"message", staged.message_id}},
                 "cannot read a message stored by an older version: it is not a complete PUBLISH "
                 "of QoS 1 or 2");
      continue;
    }
    inbox::StoredMessage message;
    message.trigger = home_.trigger;
    message.topic = head->topic;
    message.payload = staged.packet.substr(head->size);
    message.qos = 2;
    message.retained = head->retained;
    message.packet_id = head->packet_id;
    message.received = clock_.wall();
    if (auto done = packet_ids_.accept_staged(home_.client_id, staged, message); !done) return done;
  }
  return {};
}

// ---- From the server ----

void Qos2Store::add(std::uint16_t packet_id, const DeliveryPtr& delivery) {
  known_[packet_id] = {delivery->id, delivery};
}

// A QoS 2 message that the server sends again before its PUBREL: the same as before, whatever its
// content (MQTT 5.0, section 4.3.3). Without DUP it is sent for the first time (section 3.3.1.1):
// the server has forgotten the one before, such as one that has expired, and has used its packet id
// for another message.
bool Qos2Store::take_repeated(const mqtt::Message& message) {
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

void Qos2Store::keep_id(std::uint16_t packet_id, const std::string& message_id,
                        mqtt::Receipt receipt) {
  writer_.keep_id({home_.client_id, packet_id}, message_id,
                  std::make_unique<WaitingReceipt>(home_, std::move(receipt)));
  disk_is_awaited_ = true;
}

void Qos2Store::forget_id(std::uint16_t packet_id, mqtt::Receipt receipt) {
  writer_.forget_id({home_.client_id, packet_id},
                    std::make_unique<WaitingReceipt>(home_, std::move(receipt)));
  disk_is_awaited_ = true;
}

// The packet id is the server's again once PUBCOMP is there: by then no row may be left that would
// take its next message for a repetition. One that is not known may have been forgotten in a
// transaction that is not on disk yet: this one comes after it.
void Qos2Store::pubrel(std::uint16_t packet_id, mqtt::Receipt receipt) {
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
void Qos2Store::session_lost() {
  for (const auto& [packet_id, known] : std::exchange(known_, {})) {
    if (const DeliveryPtr delivery = known.delivery.lock()) delivery->forget_id();
    if (keeps_ids()) forget_id(packet_id, {});
  }
}

}  // namespace triggerd::dispatch
