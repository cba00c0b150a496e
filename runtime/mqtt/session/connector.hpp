// Makes a connection: goes through the servers and their addresses until one of them accepts, or
// all have failed.
//
// A password that a program prints is asked for first. For each server it looks the name up, then
// asks the MQTT library to connect to one address after another, with the passwords and
// certificates there are at that moment. Belongs to the supervisor.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "mqtt/client.hpp"
#include "mqtt/session/connection_context.hpp"
#include "mqtt/session/credentials.hpp"
#include "mqtt/session/owned_tasks.hpp"
#include "mqtt/session/reconnect_schedule.hpp"
#include "mqtt/session/session_history.hpp"
#include "mqtt/tls/tls_fwd.hpp"

namespace triggerd::mqtt {

class Connector {
 public:
  struct Events {
    // It has the password printed first, before it turns to a server.
    std::function<void()> on_password;
    // It turns to this server.
    std::function<void(const std::string& server)> on_server;
    // No server has accepted; `why` says of each address why not.
    std::function<void(const std::string& why)> on_round_failed;
  };
  // What it is given outlives it.
  Connector(const ConnectionContext& context, ReconnectSchedule& schedule, SessionHistory& history,
            Credentials& credentials, Events events);

  // Once, before the first round.
  void use(Client& client) { client_ = &client; }

  // Begins with the first server. Wants: no round is under way.
  void begin_round();
  // The next connections are made with a clean session, or again as the options say.
  void make_clean(bool clean) { clean_ = clean; }
  // Gives the round up. True: the library is at a connect, which cannot be taken back: it still
  // says how that ended, for attempt().
  bool stop();

  // ---- What the library said of the connect of attempt() ----

  // CONNACK has accepted. False: no connect was under way.
  bool accepted();
  // As ClientEvents::on_connect_failed().
  void failed(int code, const std::string& why);

  // Counts connects, and whatever else makes answers to what was asked before meaningless.
  ConnectAttempt attempt() const { return attempt_; }
  void forget_attempt() { ++attempt_; }

  // The server that was tried last, and through which proxy.
  std::string where() const;
  // What the last connect used; null where it was without TLS.
  const tls::MaterialPtr& material() const { return material_; }
  // What the next connect asks for. A server of MQTT 5 may have a wish of its own.
  Millis keep_alive() const { return keep_alive_; }
  void set_keep_alive(Millis keep_alive) { keep_alive_ = keep_alive; }

 private:
  void ask_for_password();
  void end_round();
  void next_server();
  void looked_up(const Result<Resolver::Addresses>& found);
  void next_address();
  void connect();
  ConnectRequest request();
  void library_is_silent();
  void explain(const std::string& otherwise);
  void address_failed(const std::string& why);

  const ConnectionContext& context_;
  ReconnectSchedule& schedule_;
  SessionHistory& history_;
  Credentials& credentials_;
  const Events events_;
  Client* client_ = nullptr;

  bool in_round_ = false;
  bool clean_ = false;  // whatever the options say
  bool library_connects_ = false;
  ConnectAttempt attempt_ = 0;
  OwnedTimer timer_;  // of the connect under way
  Monotonic began_{};
  Millis keep_alive_;
  tls::MaterialPtr material_;
  std::optional<config::Proxy> proxy_;  // of the last connect, with what its file held
  std::vector<std::string> failures_;   // of this round, one line each
};

}  // namespace triggerd::mqtt
