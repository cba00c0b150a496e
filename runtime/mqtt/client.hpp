// The seam to the MQTT library: what a Connection needs of one MQTT client. PahoClient is the real
// one; tests have a scripted one.
//
// Every operation returns at once. Its outcome comes through ClientEvents, with the number of the
// connect attempt it belongs to, so that answers from a connection that is gone are recognised.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "mqtt/mqtt.hpp"

namespace triggerd::mqtt {

// Counts the connects of one client, from 1.
using ConnectAttempt = std::uint64_t;

// What an accepting CONNACK says.
struct ConnAck {
  bool session_present = false;
  // MQTT 5: set where the server wants something else than it was asked for.
  std::optional<std::chrono::seconds> session_expiry = std::nullopt;
  std::optional<std::chrono::seconds> keep_alive = std::nullopt;
  // How many messages of QoS 1 and 2 the server takes before it has confirmed the first.
  std::optional<std::uint16_t> receive_maximum = std::nullopt;
  PublishLimits limits = {};
};

// The `code` of on_connect_failed() when our own side ended the connection, for what the server or
// the proxy said: `why` is the whole story.
inline constexpr int kNotTaken = -1;

// Called on the library's threads: must not block, and must not call the Client.
class ClientEvents {
 public:
  virtual ~ClientEvents() = default;
  // A message was too large; it is without its payload. Topic and payload had `bytes` together.
  virtual void on_too_large(Message&& message, std::uint64_t bytes) = 0;
  // Where CONNACK says that the server has no session, MessageListener::on_session_lost() was
  // called before.
  virtual void on_connected(ConnectAttempt attempt, ConnAck connack) = 0;
  // `code` is the return code of CONNACK (3.1.1: 1 to 5; MQTT 5: 0x80 and above), and `why` the
  // reason that the server gave, if any. 0: no CONNACK came, and `why` says what happened.
  virtual void on_connect_failed(ConnectAttempt attempt, int code, std::string why) = 0;
  // `why` is empty unless more is known than that the connection is gone. `code` is the reason code
  // of the server's DISCONNECT (MQTT 5), or -1.
  virtual void on_lost(ConnectAttempt attempt, std::string why, int code) = 0;
  // The return codes of SUBACK in the order of the filters: 0, 1, 2, or 0x80 and above when the
  // filter was refused; `why` is the reason that the server gave. A shorter list: the operation
  // failed.
  virtual void on_subscribed(ConnectAttempt attempt, std::vector<int> codes, std::string why) = 0;
  // The reason codes of UNSUBACK (MQTT 5), as above; empty on 3.1.1.
  virtual void on_unsubscribed(ConnectAttempt attempt, std::vector<int> codes, std::string why) = 0;
  virtual void on_disconnected(ConnectAttempt attempt) = 0;
  // What the server says to what send() sent.
  virtual void on_answers(ConnectAttempt attempt, std::vector<PublishAnswer> answers) {
    (void)attempt;
    (void)answers;
  }
};

struct ConnectRequest {
  config::Server server;
  std::string address;  // numeric; the proxy's where there is one, else the server's
  std::optional<config::Proxy> proxy = std::nullopt;
  tls::MaterialPtr tls = {};  // where the server has TLS
  bool clean_session = true;
  std::chrono::seconds session_expiry{0};  // MQTT 5
  std::optional<Millis> timeout;
  Millis keep_alive{0};
  std::string user_name;
  config::Secret password;
  std::optional<config::LastWill> last_will;
};

class Client {
 public:
  // When it returns, no event is under way or will come.
  virtual ~Client() = default;
  virtual Result<> connect(ConnectAttempt attempt, const ConnectRequest& request) = 0;
  virtual Result<> subscribe(ConnectAttempt attempt, const std::vector<config::Topic>& topics) = 0;
  virtual Result<> unsubscribe(ConnectAttempt attempt, const std::vector<std::string>& filters) = 0;
  // Sends DISCONNECT if there is a connection, gives up a connect under way. on_disconnected()
  // comes only if this succeeds.
  virtual Result<> disconnect(ConnectAttempt attempt) = 0;
  // Ends the connect under way: on_connect_failed() comes, with code 0.
  virtual void give_up_connect() = 0;
  // Stops and starts reading, on this connection and on later ones; the connection stays up. What
  // is asked of the server is answered all the same. [any thread]
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  // Writes the acknowledgements that have been released. [any thread]
  virtual void flush_acknowledgements() = 0;
  // If this fails, `done` is not called. The code of the error is MQTT 5's reason code if the
  // server has said that it does not take such messages. [any thread that holds no lock a callback
  // takes]
  virtual Result<> publish(const PublishRequest& request, PublishDone done) = 0;
  // See PublishLine::send(). Wants: ConnectionOptions::keeps_publishes, and to be connected.
  virtual bool send(std::string_view packets, const std::vector<std::size_t>& publishes) = 0;
  virtual std::size_t unsent() const = 0;
};

// Makes the client of a connection; `messages` and `events` outlive it.
using ClientFactory = std::function<Result<std::unique_ptr<Client>>(
    const ConnectionOptions& options, MessageListener& messages, ClientEvents& events)>;

}  // namespace triggerd::mqtt
