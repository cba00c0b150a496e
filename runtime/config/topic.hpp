// What a trigger subscribes to.
#pragma once

#include <cstdint>
#include <string>

namespace triggerd::config {

// MQTT 5: when the server answers SUBSCRIBE with retained messages (MQTT 5.0, section 3.8.3.1).
enum class RetainHandling { always, if_new, never };

struct Topic {
  std::string filter;
  int qos = 1;
  // MQTT 5.
  bool no_local = false;             // do not receive what this connection publishes itself
  bool retain_as_published = false;  // messages keep the RETAIN flag they were published with
  RetainHandling retain_handling = RetainHandling::always;
  std::uint32_t subscription_id = 0;  // the server adds it to matching messages; 0: none
};

}  // namespace triggerd::config
