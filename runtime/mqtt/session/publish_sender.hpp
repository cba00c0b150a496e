// Hands the publishes of one connection to the MQTT library: at once where the server takes them,
// later where they have to wait for their turn (publishes.hpp).
//
// publish() may be called from any thread. What has to wait is sent on the supervisor: the library
// must not be called from its own callbacks with a lock of ours that others wait for.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "mqtt/client.hpp"
#include "mqtt/publishes.hpp"
#include "mqtt/session/connection_context.hpp"

namespace triggerd::mqtt {

class PublishSender {
 public:
  // `stalled` is told why only a new connection helps, because the server has not confirmed
  // anything for too long. [supervisor] `context` outlives it.
  PublishSender(const ConnectionContext& context, std::function<void(std::string why)> stalled)
      : context_(context), stalled_(std::move(stalled)) {}

  // Once, before the first connected().
  void use(Client& client) { client_ = &client; }

  // As Connection::publish(). [any]
  tl::expected<void, PublishError> publish(const PublishRequest& request, PublishDone done);
  // Publishes an on-connect or on-disconnect payload to the topic of the last will. `done` is
  // called in any case. [supervisor]
  void publish_presence(const std::string& payload, PublishDone done);

  // From now on publishes go out. `receive_maximum`: how many of QoS 1 and 2 the server takes
  // unconfirmed, where it said so. [supervisor]
  void connected(std::optional<std::uint16_t> receive_maximum);
  // From now on publish() refuses. What was taken before is told of by fail_all(). [any]
  void disconnected() { can_publish_ = false; }
  // Tells those that have not been sent, or all that have not been confirmed, that they failed.
  // [supervisor]
  void fail_waiting(const std::string& why) { publishes_.fail_waiting(why); }
  void fail_all(const std::string& why) { publishes_.fail_all(why); }
  // How many messages of QoS 1 and 2 the server takes unconfirmed. [any]
  std::size_t window() const { return publishes_.window(); }
  // Every publish was confirmed or has failed. [any]
  bool idle() const { return publishes_.empty(); }

 private:
  std::size_t window(std::optional<std::uint16_t> receive_maximum) const;
  Result<> hand_over(std::uint64_t number, const PublishRequest& request);
  tl::expected<void, PublishError> send(std::uint64_t number, const PublishRequest& request);
  void send_waiting_later();  // where something waits that may go
  void send_waiting();        // [supervisor]
  void watch_waiting();
  void look_at_waiting();  // [supervisor]

  const ConnectionContext& context_;
  const std::function<void(std::string)> stalled_;
  Client* client_ = nullptr;
  std::atomic<bool> can_publish_{false};
  Publishes publishes_;
  std::atomic<bool> watching_waiting_{false};  // look_at_waiting() will run
};

}  // namespace triggerd::mqtt
