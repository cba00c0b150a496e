// Makes deliveries of messages: it is between a connection on one side, the dispatcher and the
// inbox on the other.
//
// It gathers what arrives together, and hands it on when the batch ends: to the dispatcher, so that
// a worker has it at once, and to the inbox's writer, so that it is safe soon. A RedeliveryFilter
// (QoS 1) and a Qos2Store find what the server sends again.
//
// Threads: the library's receive thread, unless a function says otherwise.
#pragma once

#include <memory>
#include <vector>

#include "base/log.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/message_id.hpp"
#include "dispatch/qos2_store.hpp"
#include "dispatch/redelivery_filter.hpp"
#include "inbox/inbox.hpp"
#include "inbox/writer.hpp"
#include "mqtt/message.hpp"

namespace triggerd::dispatch {

class Intake {
 public:
  // All outlive it.
  Intake(const DeliveryHome& home, Dispatcher& dispatcher, inbox::Inbox& inbox, MessageIds& ids,
         const Clock& clock, Log& log);

  // Reads what an earlier process has kept of QoS 2. [control, before the connection is made]
  Result<> load() { return qos2_.load(); }
  // Gives the dispatcher up to `limit` messages of the inbox that earlier processes accepted.
  // False: there are more. [supervisor]
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
  void pubrel(std::uint16_t packet_id, mqtt::Receipt receipt) {
    qos2_.pubrel(packet_id, std::move(receipt));
  }
  // The server has no session: no PUBREL will come for what it sent.
  void session_lost();
  // See Qos2Store. [any]
  bool overrun() const { return qos2_.overrun(); }

 private:
  void hand_over_batch();
  DeliveryPtr make_stored(const inbox::StoredMessage& message) const;
  bool is_here(const mqtt::Message& message);

  const DeliveryHome& home_;
  Dispatcher& dispatcher_;
  inbox::Messages& messages_;
  inbox::Writer& writer_;
  MessageIds& ids_;

  DeliveryPool pool_;  // the receive thread's
  std::vector<DeliveryPtr> batch_;
  bool disk_is_awaited_ = false;  // by the acknowledgement of something in the batch
  RedeliveryFilter redeliveries_;
  Qos2Store qos2_;
  std::int64_t backlog_after_ = 0;  // [supervisor]
};

}  // namespace triggerd::dispatch
