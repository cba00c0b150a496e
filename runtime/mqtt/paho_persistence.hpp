// Paho's persistence interface (MQTTCLIENT_PERSISTENCE_USER) on StagedMessages.
#pragma once

#include <MQTTClientPersistence.h>

#include <optional>

#include "base/mutex.hpp"
#include "mqtt/mqtt.hpp"
#include "mqtt/topic_aliases.hpp"

namespace triggerd::mqtt {

// Only received QoS 2 messages are kept ("r-ID", "r5-ID"); what else Paho wants to keep are its own
// queues, which this runtime does not use. `staged` lives until detach().
class PahoPersistence {
 public:
  // `aliases` learns from what comes.
  PahoPersistence(StagedMessages& staged, TopicAliases& aliases);
  MQTTClient_persistence* interface() { return &interface_; }
  // MQTT 5: the PUBREC of the QoS 2 message that is being handed over, where it came with its
  // PUBLISH. nullopt: it came with its PUBREL, as those of 3.1.1 do. [receive thread]
  std::optional<Receipt> take_arriving(std::uint16_t packet_id);
  void session_lost();
  // From here on there is nothing, and what comes is forgotten.
  void detach();

 private:
  struct Functions;
  std::optional<std::string> packet(const std::string& key) const;
  std::vector<std::string> all_keys() const;
  struct Arriving {
    std::uint16_t packet_id;
    Receipt receipt;
  };

  mutable Mutex mutex_;
  StagedMessages* staged_ TRIGGERD_GUARDED_BY(mutex_);
  TopicAliases& aliases_;
  std::optional<Arriving> arriving_;
  MQTTClient_persistence interface_;
};

}  // namespace triggerd::mqtt
