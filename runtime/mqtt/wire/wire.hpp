// wire: what lies under the MQTT library. Its calls to the operating system and to OpenSSL come
// here first, by link-time wrapping of the static archive (wire.cmake); the library itself is
// unmodified.
//
//   wire.hpp      what the client above uses
//   link.hpp      one socket: reading ahead, writing whole packets, pausing
//   gate.hpp      held acknowledgements, in arrival order
//   receiver.hpp  the receive thread between two packets: poll(2), and the end of a batch
//   pins.hpp      which address a host name stands for
//   proxy.hpp     what is said to a proxy before the server is reached
//   table.hpp     which link a descriptor is
//   wrap.cpp      the wrapped functions; wrap_inside.cpp: those between parts of the library;
//                 wrap_packets.cpp: those with which it reads a packet, to look at that first;
//                 wrap_tls.cpp: those of OpenSSL that are about names
#pragma once

#include <memory>
#include <string>

#include "mqtt/wire/link.hpp"

namespace triggerd::mqtt::wire {

// The connection whose packet is being handled. [receive thread, in a callback of the library]
std::shared_ptr<Link> current();
// Why a packet was refused just now, which the library is telling of; else empty. [any]
std::string refusal();
// Gets the library's own messages of level error and above. [before the first client]
void report_errors_to(void (*report)(const std::string& text));

}  // namespace triggerd::mqtt::wire
