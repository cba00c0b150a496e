/*
 * trigger/mqtt5.h - MQTT 5 for services in C: the properties of a message, and answering a request.
 *
 * Nothing here is part of the ABI: these are conveniences on top of trigger/plugin.h, compiled into
 * the plugin, and they work with every runtime that has MQTT 5. Needs C99 (or any C++). C++ has the
 * same in trigger/plugin.hpp.
 */
#ifndef TRIGGER_MQTT5_H
#define TRIGGER_MQTT5_H

#include <string.h>
#include <trigger/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Properties of a message (MQTT 5.0, section 3.3.2.3), each with the member of trigger_property
 * that holds its value. Those marked * may also be set on a message that is published. */
#define TRIGGER_PROPERTY_PAYLOAD_FORMAT 0x01u   /* * number: 1 says the payload is UTF-8 */
#define TRIGGER_PROPERTY_MESSAGE_EXPIRY 0x02u   /* * number: seconds that were left on arrival */
#define TRIGGER_PROPERTY_CONTENT_TYPE 0x03u     /* * value */
#define TRIGGER_PROPERTY_RESPONSE_TOPIC 0x08u   /* * value */
#define TRIGGER_PROPERTY_CORRELATION_DATA 0x09u /* * value, any bytes */
#define TRIGGER_PROPERTY_SUBSCRIPTION_ID 0x0bu  /* number; one per matching subscription */
#define TRIGGER_PROPERTY_USER 0x26u             /* * name and value; any number of them */

/* NOLINTBEGIN(modernize-use-nullptr): C has none */

/* The first property of `message` with this id, or NULL. */
static inline const trigger_property* trigger_find_property(const trigger_message* message,
                                                            uint32_t id) {
  size_t i;
  for (i = 0; i < message->property_count; ++i) {
    if (message->properties[i].id == id) return &message->properties[i];
  }
  return NULL;
}

/* Answers a request: publishes `payload` with this QoS on the response topic that `message` names,
 * with its correlation data, through the trigger's own alias. The result, `done` and `user` are
 * those of trigger_host.publish; TRIGGER_E_INVALID may also mean that the message names no response
 * topic, so is no request. [any; started] */
static inline int32_t trigger_reply(const trigger_host* host, const trigger_message* message,
                                    trigger_bytes payload, uint32_t qos, trigger_publish_done done,
                                    void* user) {
  const trigger_property* topic = trigger_find_property(message, TRIGGER_PROPERTY_RESPONSE_TOPIC);
  const trigger_property* correlation =
      trigger_find_property(message, TRIGGER_PROPERTY_CORRELATION_DATA);
  trigger_publish request;
  memset(&request, 0, sizeof(request));
  if (topic == NULL) return TRIGGER_E_INVALID;
  request.struct_size = sizeof(request);
  request.topic.ptr = (const char*)topic->value.ptr;
  request.topic.len = topic->value.len;
  request.payload = payload;
  request.properties = correlation;
  request.property_count = correlation == NULL ? 0 : 1;
  request.qos = qos;
  request.done = done;
  request.user = user;
  return host->publish(host->ctx, &request);
}

/* NOLINTEND(modernize-use-nullptr) */

#ifdef __cplusplus
}
#endif

#endif /* TRIGGER_MQTT5_H */
