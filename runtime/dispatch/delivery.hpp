// One message on its way through one trigger: the same over all attempts.
//
// It is finished when the service said ok, when it became a dead letter, or when the user's
// on_exhausted discards it. Until then it is safe in one of three places: the server has it, for
// its acknowledgement has not left; the inbox has it as a row; or, for QoS 0 and with acknowledge =
// "received", only memory has it, as was promised.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.hpp"
#include "config/delivery_rules.hpp"
#include "dispatch/memory_pool.hpp"
#include "dispatch/message_properties.hpp"
#include "inbox/writer.hpp"
#include "mqtt/message.hpp"

namespace triggerd::dispatch {

struct Lane;

// What the deliveries of one trigger have in common. Outlives them.
struct DeliveryHome {
  std::string trigger;
  std::string client_id;
  config::Acknowledge acknowledge = config::Acknowledge::received;
  inbox::Writer* writer = nullptr;  // null: nothing is ever written (tests)
  // What the writer has of packet ids to keep and to forget. [any]
  mutable std::atomic<std::size_t> ids_queued = 0;
};

// Whether a process has ended while it handled the message, and what follows from that.
struct CrashHistory {
  // It may have ended the worker process, or the runtime: nothing is handled beside it.
  bool suspect = false;
  std::uint64_t identity = 0;  // what Deaths knows it by; 0: Deaths does not know it
  // Why no service sees it: it has ended the runtime too often. Null for nearly all messages.
  std::unique_ptr<const std::string> condemned;
};

struct Delivery final : inbox::Entry, std::enable_shared_from_this<Delivery> {
  Delivery() = default;
  Delivery(const DeliveryHome& home, mqtt::Message&& received, std::string message_id)
      : message(std::move(received)),
        id(std::move(message_id)),
        properties(MessageProperties::of(message.properties)),
        home_(&home) {}

  // Constant once accepted.
  mqtt::Message message;
  std::string id;                                       // see message_id.hpp
  std::unique_ptr<const MessageProperties> properties;  // null if there are none
  // QoS 2: its packet id is kept in the inbox from the moment the message is safe until its PUBREL.
  bool keeps_id = false;
  // How many times it is queued at the writer for its packet id: see DeliveryHome::ids_queued.
  std::atomic<std::uint32_t> id_queued = 0;

  // Set when it is accepted: roughly when it was read from the socket, and its number in that
  // order.
  Monotonic arrived{};
  std::uint64_t place = 0;

  // Under the dispatcher's lock, until the message is finished, a dead letter, or discarded.
  std::atomic<std::uint32_t> attempts = 0;  // begun so far
  // Those that the inbox counts: an attempt counts once it has failed, since a process that is
  // killed says nothing about the message.
  std::atomic<std::uint32_t> failed = 0;
  Monotonic::duration took{};        // of the last attempt, in the service
  Lane* lane = nullptr;              // that it was popped from
  std::shared_ptr<Delivery> behind;  // the next in the queue where it waits
  CrashHistory crashes;
  // By which it is handled once; null: it is handled whatever came before. Complete once it was
  // handled, and constant then.
  std::unique_ptr<inbox::HandledKey> key;
  // Why it is no ordinary dead letter, or was not handled.
  enum class Lot : std::uint8_t {
    none,
    exhausted,  // it is out of attempts
    filtered    // its content is not what the trigger asks for
  };
  Lot lot = Lot::none;
  // The reason of a dead letter that could not be written yet.
  std::unique_ptr<const std::string> unwritten_dead_letter;
  // Of the last failed attempt; empty if none has failed, or it gave no reason.
  const std::string& last_reason() const;
  void set_last_reason(std::string reason);

  // Its PUBREL has come, or the session is gone, or the server uses its packet id for another
  // message: the packet id no longer belongs to this one. [any]
  void forget_id();
  bool id_forgotten() const;

  // It comes from the inbox, where it is message `number`. [before it is accepted]
  void stored_as(std::int64_t number);
  // Whether it is to be written to the inbox: QoS 1 and 2 with acknowledge = "durable".
  bool goes_to_inbox() const;
  // Copies the message out of memory that will be reused. [before it is accepted]
  void take_in();
  // Its number in the inbox, if it is there. [any]
  std::optional<std::int64_t> number() const;
  // Nothing more is to be done: releases its acknowledgement, and has its row removed. If it was
  // handled under a key, this is kept with the removal, or before the acknowledgement. [any]
  void finish();
  // Sends the acknowledgements of its connection that have been released. [any]
  void flush_acknowledgement() override;
  // The server sent it again: this is the acknowledgement it waits for now. [Paho receive thread]
  void attach(mqtt::Receipt receipt);
  // Its acknowledgement was released at some time. [any]
  bool acknowledged() const;
  // The same, while its connection was still there, so that it may have arrived. [any]
  bool acknowledgement_may_have_left() const;
  // The server sent it on this connection. [any]
  bool arrived_with(const mqtt::Receipt& receipt) const;

  // The size of the part that is always read, whatever the service does.
  static const std::size_t kWithoutContent;

  // inbox::Entry [the writer's thread]
  bool wants_writing() const override {
    return storing_ != Storing::finished || keeps_id || handled() != nullptr;
  }
  bool begin_write() override;
  inbox::MessageView view() const override;
  void written(std::optional<std::int64_t> number) override;
  void not_written() override;
  const inbox::HandledKey* handled() const override {
    return key != nullptr && key->number != 0 ? key.get() : nullptr;
  }

 private:
  enum class Storing : std::uint8_t { no, writing, stored, finished };
  class WaitsForDisk;

  void remove_row();
  void release_with_key();
  void release();
  void release_with_id();

  static constexpr std::size_t kSmall = 192;

  std::unique_ptr<const std::string> last_reason_;
  const DeliveryHome* home_ = nullptr;
  std::atomic<Storing> storing_{Storing::no};
  std::int64_t number_ = 0;      // constant once stored
  mutable Mutex receipt_mutex_;  // message.receipt too, which is not constant
  bool released_ TRIGGERD_GUARDED_BY(receipt_mutex_) = false;
  bool may_have_left_ TRIGGERD_GUARDED_BY(receipt_mutex_) = false;
  bool id_forgotten_ TRIGGERD_GUARDED_BY(receipt_mutex_) = false;
  std::array<char, kSmall> small_;  // topic and payload if they fit: see take_in()
};
inline constexpr std::size_t Delivery::kWithoutContent = sizeof(Delivery) - kSmall;
using DeliveryPtr = std::shared_ptr<Delivery>;

// Makes deliveries in memory that is reused. It outlives them.
class DeliveryPool {
 public:
  // [one thread at a time]
  DeliveryPtr make(const DeliveryHome& home, mqtt::Message&& message, std::string message_id) {
    return std::allocate_shared<Delivery>(PoolAllocator<Delivery>(memory_), home,
                                          std::move(message), std::move(message_id));
  }

 private:
  MemoryPool memory_;
};

}  // namespace triggerd::dispatch
