// Where messages become deliveries: between a connection and the dispatcher and the inbox.
//
// It gathers what arrives together, and hands it on when the batch ends: to the dispatcher, so that
// a worker has it at once, and to the inbox's writer, so that it is safe soon. It knows which
// message the server has sent again, and the packet ids of QoS 2 messages until their PUBREL.
//
// Threads: the library's receive thread, but for what says otherwise.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/log.hpp"
#include "base/mutex.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/message_id.hpp"
#include "inbox/inbox.hpp"
#include "inbox/writer.hpp"
#include "mqtt/message.hpp"

namespace triggerd::dispatch {

class Intake {
 public:
  // All outlive it.
  Intake(const DeliveryHome& home, Dispatcher& dispatcher, inbox::Inbox& inbox, MessageIds& ids,
         Log& log);

  // Reads what an earlier process has kept of QoS 2. [control, before the connection is made]
  Result<> load();
  // Messages of the inbox that earlier processes have accepted, up to `limit` of them, to the
  // dispatcher. False: there are more. [supervisor]
  Result<bool> take_backlog(std::size_t limit);
  // A message that is in the inbox already. [any]
  void take_stored(const inbox::StoredMessage& message);

  void take(mqtt::Message&& message);
  // A message that nobody wants: acknowledged, unless it came before and was wanted then.
  void refuse(mqtt::Message& message);
  void end_batch();
  // Hands a message to the inbox whatever its QoS. [control]
  void keep(const DeliveryPtr& delivery);
  // The server forgets a QoS 2 message; `receipt` is the PUBCOMP's.
  void pubrel(std::uint16_t packet_id, mqtt::Receipt receipt);
  // The server has no session: no PUBREL will come for what it sent.
  void session_lost();
  // The inbox has more packet ids to keep and to forget than a server can mean: it does not wait
  // for its answers, and would fill the memory. [any]
  bool overrun() const { return home_.ids_queued > kMostQueued; }

 private:
  // A QoS 2 message between PUBLISH and PUBREL.
  struct Known {
    std::string message_id;
    std::weak_ptr<Delivery> delivery;  // as long as it lives
  };

  // Each packet id once to be kept, and once to be forgotten.
  static constexpr std::size_t kMostQueued = 131'072;

  Result<> accept_staged();
  void keep_id(std::uint16_t packet_id, const std::string& message_id, mqtt::Receipt receipt);
  void forget_id(std::uint16_t packet_id, mqtt::Receipt receipt);
  void hand_over_batch();
  DeliveryPtr make_stored(const inbox::StoredMessage& message) const;
  bool is_here(const mqtt::Message& message);
  bool is_redelivery(const mqtt::Message& message);
  bool is_known(const mqtt::Message& message);
  bool keeps_ids() const { return home_.acknowledge != config::Acknowledge::received; }

  const DeliveryHome& home_;
  Dispatcher& dispatcher_;
  inbox::Inbox& inbox_;
  inbox::Writer& writer_;
  MessageIds& ids_;
  Log& log_;

  DeliveryPool pool_;  // the receive thread's
  std::vector<DeliveryPtr> batch_;
  bool disk_is_awaited_ = false;  // by the acknowledgement of something in the batch
  // While the server sends again what it had no acknowledgement for: what may be meant, by packet
  // id.
  std::optional<std::unordered_multimap<std::uint16_t, DeliveryPtr>> redelivered_;
  mqtt::Receipt redelivered_on_;  // of the connection on which it does
  // By packet id: what the server may send again. A row of awaiting_pubrel stands for each that is
  // safe; none does with acknowledge = "received".
  std::unordered_map<std::uint16_t, Known> known_;
  std::int64_t backlog_after_ = 0;  // [supervisor]
};

}  // namespace triggerd::dispatch
