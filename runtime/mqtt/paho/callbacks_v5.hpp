// Paho's callbacks for MQTT 5, with the arguments that Paho gives them. Paho's threads, most of
// them with Paho's mutex held.
#pragma once

#include <MQTTAsync.h>

#include "mqtt/paho/pending_call.hpp"

namespace triggerd::mqtt {

// CONNACK has accepted: tells the client. (paho_client.cpp)
void report_connected(PendingCall& call, const ConnAck& connack);

void connect_succeeded5(void* context, MQTTAsync_successData5* data);
void connect_failed5(void* context, MQTTAsync_failureData5* data);
void subscribe_succeeded5(void* context, MQTTAsync_successData5* data);
void subscribe_failed5(void* context, MQTTAsync_failureData5* data);
void unsubscribe_succeeded5(void* context, MQTTAsync_successData5* data);
void unsubscribe_failed5(void* context, MQTTAsync_failureData5* data);
void disconnect_succeeded5(void* context, MQTTAsync_successData5* data);
void disconnect_failed5(void* context, MQTTAsync_failureData5* data);
void publish_succeeded5(void* context, MQTTAsync_successData5* data);
void publish_failed5(void* context, MQTTAsync_failureData5* data);
// The server has sent DISCONNECT. `context` is the CallbackContext.
void server_disconnects(void* context, MQTTProperties* properties, MQTTReasonCodes code);

}  // namespace triggerd::mqtt
