// Paho's persistence interface (MQTTCLIENT_PERSISTENCE_USER) on StagedMessages.
#pragma once

#include <MQTTClientPersistence.h>

#include "mqtt/mqtt.hpp"

namespace triggerd::mqtt {

// Only received QoS 2 messages are kept ("r-ID", "r5-ID"); what else Paho wants to keep are its own
// queues, which this runtime does not use. `staged` outlives the client, and so does what is
// returned.
class PahoPersistence {
 public:
  explicit PahoPersistence(StagedMessages& staged);
  MQTTClient_persistence* interface() { return &interface_; }

 private:
  MQTTClient_persistence interface_;
};

}  // namespace triggerd::mqtt
