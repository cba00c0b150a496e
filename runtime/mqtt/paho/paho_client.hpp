// The Client that uses Paho MQTT C (MQTTAsync), for versions 3.1.1 and 5 of the protocol.
//
// What Paho would do by itself is switched off where it is in the way: it does not reconnect (the
// supervisor does) and does not buffer while disconnected.
//
// Locks. Paho has one mutex for the whole process: its receive thread holds it during callbacks,
// and most calls take it. So a callback takes leaf locks only, and the lock that serialises the
// calls on one client (which Paho does not do, its issue #1494) is never taken in a callback.
#pragma once

#include "base/clock.hpp"
#include "base/log.hpp"
#include "mqtt/client.hpp"

namespace triggerd::mqtt {

// Sets Paho up for this process; there can be one at a time. Make it before the first client, on
// the main thread, while no other thread runs: it removes http_proxy from the environment, through
// which Paho would send plain MQTT (its issue #1344). Signals have to be blocked by then, since
// Paho's threads inherit the mask. `log` outlives it and gets Paho's own error lines; `clock`
// outlives the process's use of Paho, whose handles go later than their clients.
class PahoLibrary {
 public:
  PahoLibrary(Log& log, const Clock& clock);
  ~PahoLibrary();
  PahoLibrary(const PahoLibrary&) = delete;
  PahoLibrary& operator=(const PahoLibrary&) = delete;

  ClientFactory factory();

 private:
  const Clock& clock_;
};

}  // namespace triggerd::mqtt
