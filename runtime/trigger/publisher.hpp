// Where services publish: the connection of an alias, found by its name.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "mqtt/connection.hpp"

namespace triggerd::trigger {

// Filled before anything runs, constant afterwards; publish() from any thread that may wait for
// Paho's lock, so not from its callbacks.
class Publisher {
 public:
  void add(const std::string& alias, std::shared_ptr<mqtt::Connection> connection) {
    connections_[alias] = std::move(connection);
  }
  void remove(const std::string& alias) { connections_.erase(alias); }

  // Whether it may be published with properties.
  bool speaks_mqtt5(std::string_view alias) const;
  // A TRIGGER_... code; `done` is called exactly once where it is TRIGGER_OK, else not at all.
  std::int32_t publish(std::string_view alias, const mqtt::PublishRequest& request,
                       mqtt::PublishDone done) const;

 private:
  std::map<std::string, std::shared_ptr<mqtt::Connection>, std::less<>> connections_;
};

}  // namespace triggerd::trigger
