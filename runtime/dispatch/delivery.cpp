#include "dispatch/delivery.hpp"

#include <cstdlib>
#include <cstring>
#include <new>

namespace triggerd::dispatch {

using config::Acknowledge;

void Delivery::stored_as(std::int64_t number) {
  number_ = number;
  storing_ = Storing::stored;
  MutexLock lock(receipt_mutex_);
  released_ = may_have_left_ = true;
}

void Delivery::take_in() {
  if (message.buffers) return;
  const std::size_t topic = message.topic.size();
  const std::size_t payload = message.payload.size();
  const std::size_t size = topic + 1 + payload;
  char* memory = small_.data();
  if (size > small_.size()) {
    memory = static_cast<char*>(std::malloc(size));
    if (memory == nullptr) throw std::bad_alloc();
    message.buffers = mqtt::Buffers(memory, nullptr, [](void* first, void*) { std::free(first); });
  }
  std::memcpy(memory, message.topic.data(), topic);
  memory[topic] = '\0';
  if (payload > 0) std::memcpy(memory + topic + 1, message.payload.data(), payload);
  message.topic = {memory, topic};
  message.payload = {reinterpret_cast<const std::uint8_t*>(memory) + topic + 1, payload};
}

const std::string& Delivery::last_reason() const {
  static const std::string none;
  return last_reason_ == nullptr ? none : *last_reason_;
}

void Delivery::set_last_reason(std::string reason) {
  if (reason.empty()) {
    last_reason_.reset();
  } else {
    last_reason_ = std::make_unique<const std::string>(std::move(reason));
  }
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
    remove_row();
  } else if (handled() != nullptr && home_->writer != nullptr) {
    release_with_key();
    return;
  } else if (keeps_id) {
    if (home_->acknowledge == Acknowledge::finished) release_with_id();
    return;  // durable: written() comes
  }
  release();
}

void Delivery::remove_row() {
  if (const inbox::HandledKey* const kept = handled()) {
    home_->writer->remove(number_, *kept);
  } else {
    home_->writer->remove(number_);
  }
}

// The acknowledgement may leave once its packet id, or the key, is there for good.
class Delivery::WaitsForDisk final : public inbox::PacketIdWaiter {
 public:
  explicit WaitsForDisk(std::shared_ptr<Delivery> delivery) : delivery_(std::move(delivery)) {
    ++delivery_->home_->ids_queued;
  }
  void done() override {
    --delivery_->home_->ids_queued;
    delivery_->release();
  }
  void flush_acknowledgement() override { delivery_->flush_acknowledgement(); }

 private:
  const std::shared_ptr<Delivery> delivery_;
};

// Else the server would have no copy of it any more, and nobody would know that it was handled.
void Delivery::release_with_key() {
  const bool is_queued = home_->acknowledge == Acknowledge::durable && message.qos > 0;
  if (is_queued) return;  // written() comes, with the key in the same transaction
  const bool waits = home_->acknowledge == Acknowledge::finished && message.qos > 0;
  home_->writer->keep_key(*handled(), waits && !keeps_id
                                          ? std::make_unique<WaitsForDisk>(shared_from_this())
                                          : nullptr);
  if (!waits) {
    release();
  } else if (keeps_id) {
    release_with_id();  // behind the key
  }
}

void Delivery::release_with_id() {
  {
    // PUBREC may leave once the packet id is there for good: else it would be handled again one
    // day. But not in a session that has gone meanwhile, where the id means another message.
    MutexLock lock(receipt_mutex_);
    if (!id_forgotten_) {
      home_->writer->keep_id({home_->client_id, message.packet_id}, id,
                             std::make_unique<WaitsForDisk>(shared_from_this()));
      return;
    }
  }
  release();
}

void Delivery::forget_id() {
  MutexLock lock(receipt_mutex_);
  id_forgotten_ = true;
}

bool Delivery::id_forgotten() const {
  MutexLock lock(receipt_mutex_);
  return id_forgotten_;
}

void Delivery::release() {
  if (message.qos == 0) return;
  MutexLock lock(receipt_mutex_);
  released_ = true;
  may_have_left_ = may_have_left_ || message.receipt.open();
  message.receipt.release();
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
    // It leaves behind the one that is here, as they came: that one waits for both.
    receipt.release();
    return;
  }
  message.receipt = std::move(receipt);
  if (!released_) return;
  may_have_left_ = true;
  message.receipt.release();
}

bool Delivery::acknowledged() const {
  MutexLock lock(receipt_mutex_);
  return released_;
}

bool Delivery::acknowledgement_may_have_left() const {
  MutexLock lock(receipt_mutex_);
  return may_have_left_;
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
  if (id_queued > 0) {
    --id_queued;
    --home_->ids_queued;
  }
  if (number) {
    number_ = *number;
    Storing expected = Storing::writing;
    if (!storing_.compare_exchange_strong(expected, Storing::stored)) {
      remove_row();  // finished meanwhile
    }
  }
  release();
}

void Delivery::not_written() {
  Storing expected = Storing::writing;
  storing_.compare_exchange_strong(expected, Storing::no);
}

}  // namespace triggerd::dispatch
