#include <algorithm>

#include "mqtt/mqtt.hpp"

namespace triggerd::mqtt {

bool ConnectionStatus::running() const {
  return state == State::up && std::all_of(grants.begin(), grants.end(), [](const Grant& grant) {
           return grant.granted_qos.has_value();
         });
}

std::string_view to_string(ConnectionStatus::State state) {
  switch (state) {
    case ConnectionStatus::State::off:
      return "off";
    case ConnectionStatus::State::connecting:
      return "connecting";
    case ConnectionStatus::State::subscribing:
      return "subscribing";
    case ConnectionStatus::State::up:
      return "up";
    case ConnectionStatus::State::waiting:
      return "waiting";
  }
  return "";
}

}  // namespace triggerd::mqtt
