// Why a TLS handshake fails, in words. The MQTT library keeps the reason to itself, or tells it in
// OpenSSL's words, so the handshake is done again on a connection of our own. Any thread that may
// wait for a server.
#pragma once

#include <string>

#include "base/clock.hpp"
#include "mqtt/tls/material.hpp"

namespace triggerd::mqtt::tls {

// How long a server is waited for.
struct HandshakeLimits {
  Millis answer{3'000};  // until the handshake is done
  // With TLS 1.3 a server looks at our certificate after its part of the handshake.
  Millis objection{3'000};
};

// `fd` is connected and non-blocking. Empty: the handshake succeeded, and a server that asked for a
// certificate did not object in time. Verifies what a connection verifies.
std::string why_handshake_fails(int fd, const std::string& host, const Material& material,
                                const HandshakeLimits& limits, const Clock& clock);

// Whether the server at the other end of `fd` answers a TLS handshake in TLS. Nothing is verified,
// since nothing is sent. Takes until `limit` where the server is silent.
bool answers_in_tls(int fd, Millis limit, const Clock& clock);

}  // namespace triggerd::mqtt::tls
