/* trigger/mqtt5.h alone is enough for a service in C that answers requests. */
#include <trigger/mqtt5.h>

int32_t answer(const trigger_host* host, const trigger_message* message);

int32_t answer(const trigger_host* host, const trigger_message* message) {
  return trigger_reply(host, message, message->payload, 1, NULL, NULL);
}
