// wire: what lies under the MQTT library. Its calls to the operating system and to OpenSSL come
// here first, by link-time wrapping of the static archive (wire.cmake); the library itself is
// unmodified.
//
//   wire.hpp       what the client above uses
//   dial.hpp       how a connection is made, and who takes what comes on it
//   link.hpp       one socket: what comes is taken, whole packets are written, reading is paused
//   inbound.hpp    bytes to packets
//   websocket.hpp  MQTT in frames, and http_head.hpp the answer to its upgrade
//   proxy.hpp      what is said to a proxy first
//   gate.hpp       held acknowledgements, in arrival order
//   receiver.hpp   the receive thread between two packets: poll(2), and the end of a batch
//   table.hpp      which link a descriptor is
//   wrap.cpp       the wrapped functions; wrap_inside.cpp: those between parts of the library;
//                  wrap_tls.cpp: those of OpenSSL that are about names
#pragma once

#include <string>

#include "mqtt/wire/link.hpp"

namespace triggerd::mqtt::wire {

// Gets the library's own messages of level error and above. [before the first client]
void report_errors_to(void (*report)(const std::string& text));

}  // namespace triggerd::mqtt::wire
