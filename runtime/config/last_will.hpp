// What an alias publishes when its connection begins and ends, and what its server publishes for it
// if the connection is lost.
#pragma once

#include <optional>
#include <string>

namespace triggerd::config {

struct LastWill {
  bool enabled = true;  // false: the server gets no will; the on_* payloads are still sent
  std::string topic;
  int qos = 1;
  bool retained = false;
  std::string payload;
  std::optional<std::string> on_connect_payload;
  std::optional<std::string> on_disconnect_payload;
};

}  // namespace triggerd::config
