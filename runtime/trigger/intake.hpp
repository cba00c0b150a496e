// Where messages become deliveries: between a connection and the dispatcher and the inbox.
//
// It gathers what arrives together, and hands it on when the batch ends: to the dispatcher, so that
// a worker has it at once, and to the inbox's writer, so that it is safe soon. It knows which
// message the server has sent again, and keeps QoS 2 messages until their PUBREL.
//
// Threads: the library's receive thread, but for what says otherwise.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/log.hpp"
#include "base/mutex.hpp"
#include "inbox/inbox.hpp"
#include "inbox/writer.hpp"
#include "mqtt/mqtt.hpp"
#include "trigger/dispatcher.hpp"
#include "trigger/message_id.hpp"

namespace triggerd::trigger {

class Intake final : public mqtt::StagedMessages {
 public:
  // All outlive it.
  Intake(const DeliveryHome& home, Dispatcher& dispatcher, inbox::Inbox& inbox, MessageIds& ids,
         Log& log);

  // Reads the staged messages of an earlier process. [control, before the connection is made]
  Result<> load();
  // Messages of the inbox that earlier processes have accepted, up to `limit` of them, to the
  // dispatcher. False: there are more. [supervisor]
  Result<bool> take_backlog(std::size_t limit);
  // A message that is in the inbox already. [any]
  void take_stored(const inbox::StoredMessage& message);

  void take(mqtt::Message message);
  // A message that nobody wants: acknowledged, and its staged copy forgotten.
  void refuse(mqtt::Message& message);
  void end_batch();
  // Hands a message to the inbox whatever its QoS. [control]
  void keep(const DeliveryPtr& delivery);
  void repeated_pubrel(std::uint16_t packet_id, mqtt::Receipt receipt);

  // mqtt::StagedMessages [Paho's threads]
  std::vector<std::string> keys() override;
  std::optional<std::string> get(const std::string& key) override;
  void put(const std::string& key, std::string packet, mqtt::Receipt receipt) override;
  void session_lost() override;

 private:
  static constexpr std::size_t kSweep = 256;
  struct Staged {
    std::string message_id;
    std::string packet;
  };

  // A QoS 2 message of MQTT 5 between PUBLISH and PUBREL.
  struct Known {
    std::string message_id;
    std::weak_ptr<Delivery> delivery;  // as long as it lives
  };

  static std::string key5_of(std::uint16_t packet_id);
  static std::optional<std::uint16_t> id_of_key5(std::string_view key);
  static std::string packet5_of(std::uint16_t packet_id);
  void put5(std::uint16_t packet_id, mqtt::Receipt receipt);
  bool forget5(std::uint16_t packet_id);
  bool pubrel5(std::uint16_t packet_id, mqtt::Receipt receipt);
  void session_lost5();

  void hand_over_batch();
  DeliveryPtr make_stored(const inbox::StoredMessage& message) const;
  bool is_redelivery(const mqtt::Message& message);
  std::string staged_id(const std::string& key) TRIGGERD_REQUIRES(mutex_);

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
  std::uint16_t last_packet_id_ = 0;
  bool ids_come_back_early_ = false;
  std::int64_t backlog_after_ = 0;  // [supervisor]

  Mutex mutex_;
  std::map<std::string, Staged> staged_ TRIGGERD_GUARDED_BY(mutex_);
  // QoS 2 messages that were handed over, as long as they live; those that do not are swept now and
  // then, for they keep their memory.
  std::unordered_map<std::uint16_t, std::weak_ptr<Delivery>> handed_over_
      TRIGGERD_GUARDED_BY(mutex_);
  std::size_t sweep_at_ TRIGGERD_GUARDED_BY(mutex_) = kSweep;
  // By packet id: what the server may repeat. A row of `staged` stands for each that is safe.
  std::map<std::uint16_t, Known> known_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::trigger
