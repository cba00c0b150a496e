// What an alias says when its connection begins and ends, and what its server says for it.
#pragma once

#include <optional>
#include <string>

namespace triggerd::config {

struct LastWill {
  bool enabled = true;  // false: the server gets none; on_connect and on_disconnect still count
  std::string topic;
  int qos = 1;
  bool retained = false;
  std::string payload;
  std::optional<std::string> on_connect_payload;
  std::optional<std::string> on_disconnect_payload;
};

}  // namespace triggerd::config
