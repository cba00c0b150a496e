// Client on Paho MQTT C (MQTTAsync), versions 3.1.1 and 5 of the protocol.
//
// What Paho does by itself is switched off where it is in the way: no automatic reconnect (the
// supervisor does that), no buffering while disconnected. Paho has one mutex for the process; its
// receive thread holds it during callbacks, and most calls take it. So a callback takes only leaf
// locks, and the lock that serialises calls on one client (Paho does not do that itself, its issue
// #1494) is never taken in a callback.
#pragma once

#include "base/log.hpp"
#include "mqtt/client.hpp"

namespace triggerd::mqtt {

// Sets Paho up for this process. Make one before the first client, on the main thread, before any
// other thread runs (it takes http_proxy out of the environment, which Paho would send plain MQTT
// through, its issue #1344). Signals are to be blocked by then: Paho's threads inherit the mask.
// There can be one at a time. `log` outlives it and gets Paho's own error lines.
class PahoLibrary {
 public:
  explicit PahoLibrary(Log& log);
  ~PahoLibrary();
  PahoLibrary(const PahoLibrary&) = delete;
  PahoLibrary& operator=(const PahoLibrary&) = delete;

  ClientFactory factory();
};

}  // namespace triggerd::mqtt
