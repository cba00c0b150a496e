// Why a TLS handshake fails, in words: the MQTT library keeps the reason to itself, or tells it in
// OpenSSL's. So what it did is done again, on a connection of our own.
#pragma once

#include <string>

#include "base/clock.hpp"
#include "mqtt/tls/material.hpp"

namespace triggerd::mqtt::tls {

// `fd` is connected and does not block. Empty: the handshake is done, and within a short while the
// server did not object. Verifies what a connection verifies.
std::string why_handshake_fails(int fd, const std::string& host, const Material& material,
                                Millis limit);

// Whether the server at the other end of `fd` answers a TLS handshake in TLS. Nothing is verified,
// as nothing is sent.
bool answers_in_tls(int fd, Millis limit);

}  // namespace triggerd::mqtt::tls
