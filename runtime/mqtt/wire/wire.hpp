// wire/: what lies under the MQTT library. The library's calls to the operating system and to
// OpenSSL come here first, by link-time wrapping of its static archive (wire.cmake); the library
// itself is not modified.
//
//   wire.hpp         what the client above uses
//   dial.hpp         how a connection is made, and who takes what comes on it
//   link.hpp         one socket, and its receiving half: packets are checked and taken
//   link_writer.hpp  its sending half, under one lock:
//     opening.hpp        what is said before MQTT: to a proxy, and the WebSocket upgrade
//     ack_queue.hpp      held acknowledgements, in the order of their messages
//     send_buffer.hpp    bytes that wait for room in the socket
//     sent_publishes.hpp which packet ids were published with QoS 2
//   keep_alive.hpp   when to ping, and when the server counts as gone
//   inbound.hpp      bytes to packets
//   websocket.hpp    MQTT in frames; http_head.hpp: the answer to the upgrade
//   proxy.hpp        the conversation with a proxy
//   receiver.hpp     the receive thread between two packets: poll(2), and the end of a batch
//   table.hpp        the link of a descriptor
//   wrap.cpp         the wrapped functions; wrap_inside.cpp: those between parts of the library;
//                    wrap_tls.cpp: those of OpenSSL that are about names
#pragma once

#include <string>

#include "mqtt/wire/link.hpp"

namespace triggerd::mqtt::wire {

// `report` gets the library's own messages of level error and above. [before the first client]
void report_errors_to(void (*report)(const std::string& text));

}  // namespace triggerd::mqtt::wire
