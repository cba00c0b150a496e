#include "trigger/delivery.hpp"

#include <cstring>

namespace triggerd::trigger {

using config::Acknowledge;

void Delivery::stored_as(std::int64_t number) {
  number_ = number;
  storing_ = Storing::stored;
  MutexLock lock(receipt_mutex_);
  released_ = true;
}

void Delivery::take_in() {
  const std::size_t topic = message.topic.size();
  const std::size_t payload = message.payload.size();
  if (topic + 1 + payload > small_.size()) return;
  std::memcpy(small_.data(), message.topic.data(), topic);
  small_[topic] = '\0';
  if (payload > 0) std::memcpy(small_.data() + topic + 1, message.payload.data(), payload);
  message.topic = {small_.data(), topic};
  message.payload = {reinterpret_cast<const std::uint8_t*>(small_.data()) + topic + 1, payload};
  message.buffers = {};
}

bool Delivery::goes_to_inbox() const {
  return message.qos > 0 && home_ != nullptr && home_->acknowledge == Acknowledge::durable &&
         storing_ == Storing::no;
}

std::optional<std::int64_t> Delivery::number() const {
  if (storing_ != Storing::stored) return std::nullopt;
  return number_;
}

void Delivery::finish() {
  if (home_ == nullptr) return;
  const Storing before = storing_.exchange(Storing::finished);
  if (before == Storing::finished) return;
  if (before == Storing::stored) {
    home_->writer->remove(number_);
  } else if (!staged_key.empty()) {
    if (home_->acknowledge == Acknowledge::finished) release_with_key();
    return;  // durable: written() comes
  }
  release();
}

void Delivery::release_with_key() {
  std::function<void()> done = [self = shared_from_this()] {
    self->release();
    self->flush_acknowledgement();
  };
  const inbox::StagedKey key{home_->client_id, staged_key};
  if (!keeps_key()) {
    // PUBCOMP may leave once the staged copy is gone for good: else it would come back one day.
    home_->writer->unstage(key, std::move(done));
    return;
  }
  {
    // PUBREC may leave once the key is there for good: else it would be handled again one day. But
    // not in a session that has gone meanwhile, where the id means another message.
    MutexLock lock(receipt_mutex_);
    if (!key_forgotten_) {
      home_->writer->stage(key, id, {}, std::move(done));
      return;
    }
  }
  release();
}

void Delivery::forget_key() {
  MutexLock lock(receipt_mutex_);
  key_forgotten_ = true;
}

bool Delivery::key_forgotten() const {
  MutexLock lock(receipt_mutex_);
  return key_forgotten_;
}

void Delivery::release() {
  if (message.qos == 0) return;
  MutexLock lock(receipt_mutex_);
  released_ = true;
  message.receipt.release();
  for (mqtt::Receipt& receipt : earlier_) receipt.release();
}

void Delivery::flush_acknowledgement() {
  if (message.qos == 0) return;
  mqtt::Receipt receipt;
  {
    MutexLock lock(receipt_mutex_);
    receipt = message.receipt;
  }
  receipt.flush();
}

void Delivery::attach(mqtt::Receipt receipt) {
  MutexLock lock(receipt_mutex_);
  if (message.receipt && message.receipt.same_connection(receipt)) {
    earlier_.push_back(message.receipt);
  } else {
    earlier_.clear();  // their connection is gone
  }
  message.receipt = std::move(receipt);
  if (released_) message.receipt.release();
}

bool Delivery::acknowledged() const {
  MutexLock lock(receipt_mutex_);
  return released_;
}

bool Delivery::arrived_with(const mqtt::Receipt& receipt) const {
  MutexLock lock(receipt_mutex_);
  return receipt && message.receipt.same_connection(receipt);
}

// ---- The writer's ----

bool Delivery::begin_write() {
  Storing expected = Storing::no;
  return storing_.compare_exchange_strong(expected, Storing::writing);
}

inbox::MessageView Delivery::view() const {
  return {
      .trigger = home_->trigger,
      .message_id = id,
      .topic = message.topic,
      .payload = {reinterpret_cast<const char*>(message.payload.data()), message.payload.size()},
      .qos = message.qos,
      .retained = message.retained,
      .packet_id = message.packet_id,
      .attempts = failed,
      .received = message.received,
      .properties =
          message.mqtt5 ? std::optional<std::string_view>(message.properties) : std::nullopt,
      .expires =
          message.expires == Monotonic::max() ? std::nullopt : std::optional(message.expires)};
}

void Delivery::written(std::optional<std::int64_t> number) {
  if (number) {
    number_ = *number;
    Storing expected = Storing::writing;
    if (!storing_.compare_exchange_strong(expected, Storing::stored)) {
      home_->writer->remove(*number);  // finished meanwhile
    }
  }
  release();
}

void Delivery::not_written() {
  Storing expected = Storing::writing;
  storing_.compare_exchange_strong(expected, Storing::no);
}

}  // namespace triggerd::trigger
