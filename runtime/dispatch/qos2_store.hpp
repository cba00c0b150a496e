// The QoS 2 messages of one session between PUBLISH and PUBREL, by packet id: what the server may
// send again, and what is kept of it in the inbox.
//
// A row of awaiting_pubrel stands for each packet id whose message is safe; with acknowledge =
// "received" there are none. PUBREC leaves once the row is there, PUBCOMP once it is gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "dispatch/delivery.hpp"
#include "inbox/packet_ids.hpp"
#include "inbox/writer.hpp"

namespace triggerd::dispatch {

// No lock: [receive thread], unless a function says otherwise.
class Qos2Store {
 public:
  // All outlive it.
  Qos2Store(const DeliveryHome& home, inbox::PacketIds& packet_ids, const Clock& clock, Log& log);

  // Reads what an earlier process has kept. [control, before the connection is made]
  Result<> load();

  // A message that has come for the first time.
  void add(std::uint16_t packet_id, const DeliveryPtr& delivery);
  // Whether the server sends a message again. Then its receipt is taken care of: that of the first
  // one leaves when it would have.
  bool take_repeated(const mqtt::Message& message);
  // The server forgets the message; `receipt` is the PUBCOMP's.
  void pubrel(std::uint16_t packet_id, mqtt::Receipt receipt);
  // The server has no session: no PUBREL will come for what it sent.
  void session_lost();

  // Whether an acknowledgement waits for the disk, since this was last asked.
  bool take_disk_awaited() { return std::exchange(disk_is_awaited_, false); }
  // Whether packet ids are kept in the inbox. [any]
  bool keeps_ids() const { return home_.acknowledge != config::Acknowledge::received; }
  // More packet ids are queued for the inbox than a server can have in use: it does not wait for
  // acknowledgements, and would fill the memory. [any]
  bool overrun() const { return home_.ids_queued > kMostQueued; }

 private:
  struct Known {
    std::string message_id;
    std::weak_ptr<Delivery> delivery;  // as long as it lives
  };

  // Each packet id once to be kept, and once to be forgotten.
  static constexpr std::size_t kMostQueued = 131'072;

  Result<> accept_staged();
  void keep_id(std::uint16_t packet_id, const std::string& message_id, mqtt::Receipt receipt);
  void forget_id(std::uint16_t packet_id, mqtt::Receipt receipt);

  const DeliveryHome& home_;
  inbox::PacketIds& packet_ids_;
  inbox::Writer& writer_;
  const Clock& clock_;
  Log& log_;
  std::unordered_map<std::uint16_t, Known> known_;
  bool disk_is_awaited_ = false;
};

}  // namespace triggerd::dispatch
