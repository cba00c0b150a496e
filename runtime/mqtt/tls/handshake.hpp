// Why a TLS handshake fails, in words. The MQTT library keeps the reason to itself, or tells it in
// OpenSSL's words, so the handshake is done again on a connection of our own. Any thread that may
// wait for a server.
#pragma once

#include <string>

#include "base/clock.hpp"
#include "mqtt/tls/material.hpp"

namespace triggerd::mqtt::tls {

// `fd` is connected and non-blocking; the handshake may take until `limit`. Empty: it succeeded,
// and the server did not object within a short while. Verifies what a connection verifies.
std::string why_handshake_fails(int fd, const std::string& host, const Material& material,
                                Millis limit, const Clock& clock);

// Whether the server at the other end of `fd` answers a TLS handshake in TLS. Nothing is verified,
// since nothing is sent.
bool answers_in_tls(int fd, Millis limit, const Clock& clock);

}  // namespace triggerd::mqtt::tls
