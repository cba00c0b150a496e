// The address of an MQTT server.
#pragma once

#include <cstdint>
#include <string>

namespace triggerd::config {

// One server address. Schemes tcp and mqtt are TCP (default port 1883), ws is WebSocket (80); ssl,
// tls and mqtts are TLS (8883), wss is WebSocket on TLS (443).
struct Server {
  enum class Scheme { tcp, ws, ssl, wss };
  Scheme scheme = Scheme::tcp;
  std::string host;  // a name, an IPv4 address, or an IPv6 address without its brackets
  std::uint16_t port = 1883;
  std::string path;  // for a WebSocket, with its leading slash; else empty

  bool has_tls() const { return scheme == Scheme::ssl || scheme == Scheme::wss; }
  bool is_websocket() const { return scheme == Scheme::ws || scheme == Scheme::wss; }
};
// "tcp://host:1883", IPv6 in brackets: as log lines show it and Paho takes it.
std::string to_string(const Server& server);

}  // namespace triggerd::config
