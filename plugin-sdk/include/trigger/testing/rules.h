/* What the runtime takes from a plugin, and what it refuses. The test kits for C and C++ ask here.
 * Included by trigger/testing.h and trigger/testing.hpp. */
#ifndef TRIGGER_TESTING_RULES_H
#define TRIGGER_TESTING_RULES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <trigger/plugin.h>

/* NOLINTBEGIN(modernize-use-nullptr): C has none */

#define TRIGGER_TEST_TEXT_BYTES 65535u       /* MQTT 5.0, section 1.5.4 */
#define TRIGGER_TEST_PACKET_BYTES 268435447u /* of topic and payload: MQTT 5.0, section 2.1.4 */
#define TRIGGER_TEST_ALIAS_BYTES 1024u       /* the runtime's own limits from here on */
#define TRIGGER_TEST_PROPERTIES 65535u
#define TRIGGER_TEST_METRICS 64u
#define TRIGGER_TEST_METRIC_NAME_BYTES 100u
#define TRIGGER_TEST_METRIC_HELP_BYTES 1024u

/* Whether there may be `len` bytes at `ptr`. */
static inline int trigger_test_is_there(const void* ptr, size_t len, size_t limit) {
  return len <= limit && (ptr != NULL || len == 0);
}

/* Length of the well-formed UTF-8 sequence (RFC 3629, section 4) at `at`; 0: there is none. */
static inline size_t trigger_test_utf8(const uint8_t* at, size_t left) {
  uint8_t lowest = 0x80; /* of the second byte */
  uint8_t highest = 0xbf;
  size_t length = 2;
  size_t i = 2;
  if (left == 0) return 0;
  if (at[0] < 0x80) return 1;
  if (at[0] < 0xc2 || at[0] > 0xf4) return 0;
  if (at[0] >= 0xe0) length = 3;
  if (at[0] >= 0xf0) length = 4;
  if (at[0] == 0xe0) lowest = 0xa0;
  if (at[0] == 0xed) highest = 0x9f;
  if (at[0] == 0xf0) lowest = 0x90;
  if (at[0] == 0xf4) highest = 0x8f;
  if (left < length || at[1] < lowest || at[1] > highest) return 0;
  for (; i < length; ++i) {
    if (at[i] < 0x80 || at[i] > 0xbf) return 0;
  }
  return length;
}

/* Whether MQTT takes it for text: UTF-8 without U+0000. */
static inline int trigger_test_is_text(const void* ptr, size_t len) {
  const uint8_t* const bytes = (const uint8_t*)ptr;
  size_t at = 0;
  if (!trigger_test_is_there(ptr, len, TRIGGER_TEST_TEXT_BYTES)) return 0;
  while (at < len) {
    const size_t length = trigger_test_utf8(bytes + at, len - at);
    if (length == 0 || bytes[at] == 0) return 0;
    at += length;
  }
  return 1;
}

/* Whether one can publish to it. */
static inline int trigger_test_is_topic(trigger_str topic) {
  return topic.len != 0 && trigger_test_is_text(topic.ptr, topic.len) &&
         memchr(topic.ptr, '+', topic.len) == NULL && memchr(topic.ptr, '#', topic.len) == NULL;
}

/* Whether a client may publish with it. */
static inline int trigger_test_is_property(const trigger_property* property) {
  trigger_str text;
  text.ptr = (const char*)property->value.ptr;
  text.len = property->value.len;
  if (!trigger_test_is_there(property->name.ptr, property->name.len, TRIGGER_TEST_TEXT_BYTES) ||
      !trigger_test_is_there(text.ptr, text.len, TRIGGER_TEST_TEXT_BYTES)) {
    return 0;
  }
  switch (property->id) {
    case 0x01: /* payload format */
      return property->number <= 1;
    case 0x02: /* message expiry */
      return property->number <= UINT32_MAX;
    case 0x03: /* content type */
      return trigger_test_is_text(text.ptr, text.len);
    case 0x08: /* response topic */
      return trigger_test_is_topic(text);
    case 0x09: /* correlation data */
      return 1;
    case 0x26: /* user property */
      return trigger_test_is_text(property->name.ptr, property->name.len) &&
             trigger_test_is_text(text.ptr, text.len);
    default:
      return 0;
  }
}

/* Whether a client may publish with all of them: only a user property may come twice. */
static inline int trigger_test_are_properties(const trigger_property* properties, size_t count) {
  uint64_t seen = 0; /* a bit for each id, of which those that may be published are below 64 */
  const uint32_t user = 0x26;
  size_t i = 0;
  if (!trigger_test_is_there(properties, count, TRIGGER_TEST_PROPERTIES)) return 0;
  for (; i < count; ++i) {
    uint64_t bit = 0;
    if (!trigger_test_is_property(&properties[i])) return 0;
    bit = (uint64_t)1 << properties[i].id;
    if ((seen & bit) != 0 && properties[i].id != user) return 0;
    seen |= bit;
  }
  return 1;
}

/* TRIGGER_OK or TRIGGER_E_INVALID: what publish says of this request on a connection of MQTT 5. */
static inline int32_t trigger_test_check_publish(const trigger_publish* request) {
  if (request == NULL ||
      request->struct_size < offsetof(trigger_publish, user) + sizeof(request->user) ||
      (request->flags & ~TRIGGER_PUBLISH_RETAIN) != 0 || request->qos > 2 ||
      !trigger_test_is_there(request->alias.ptr, request->alias.len, TRIGGER_TEST_ALIAS_BYTES) ||
      !trigger_test_is_topic(request->topic) ||
      !trigger_test_is_there(request->payload.ptr, request->payload.len,
                             TRIGGER_TEST_PACKET_BYTES - request->topic.len) ||
      !trigger_test_are_properties(request->properties, request->property_count)) {
    return TRIGGER_E_INVALID;
  }
  return TRIGGER_OK;
}

/* Whether complete can read it; its code may be no verdict. */
static inline int trigger_test_is_result(const trigger_result* result) {
  return result != NULL &&
         result->struct_size >= offsetof(trigger_result, reason) + sizeof(result->reason);
}

static inline int trigger_test_is_verdict(int32_t code) {
  return code == TRIGGER_OK || code == TRIGGER_RETRY || code == TRIGGER_REJECT ||
         code == TRIGGER_UNAVAILABLE;
}

/* TRIGGER_OK or TRIGGER_E_INVALID: what metric says of these arguments by themselves. */
static inline int32_t trigger_test_check_metric(trigger_str name, uint32_t kind, trigger_str help,
                                                const uint64_t* id) {
  size_t i = 0;
  if (id == NULL || name.len == 0 ||
      !trigger_test_is_there(name.ptr, name.len, TRIGGER_TEST_METRIC_NAME_BYTES) ||
      !trigger_test_is_there(help.ptr, help.len, TRIGGER_TEST_METRIC_HELP_BYTES)) {
    return TRIGGER_E_INVALID;
  }
  for (; i < name.len; ++i) {
    const char c = name.ptr[i];
    if (!(c >= 'a' && c <= 'z') && c != '_' && !(i > 0 && c >= '0' && c <= '9')) {
      return TRIGGER_E_INVALID;
    }
  }
  if (kind != TRIGGER_METRIC_COUNTER && kind != TRIGGER_METRIC_GAUGE) return TRIGGER_E_INVALID;
  return TRIGGER_OK;
}

/* NOLINTEND(modernize-use-nullptr) */

#endif /* TRIGGER_TESTING_RULES_H */
