// mqtt/: sessions with MQTT servers, on Paho MQTT C. It knows base/ and config/, and not what a
// trigger is: a Connection carries one MQTT client, and tells a listener what arrives and how the
// connection is doing.
//
//   mqtt.hpp       what the rest of the runtime uses: options, listener, publish
//   message.hpp    a received message; receipt.hpp: the acknowledgement that it owes
//   publishes.hpp  which publishes are in flight, and which wait
//   reason.hpp     return codes and reason codes in words
//   client.hpp     the seam to the MQTT library
//   session/       above that seam: connection.hpp, and the parts it is composed of
//   paho/          below it: Paho as a Client, and when its handles are destroyed
//   wire/          under Paho: what comes is taken there; proxies, WebSocket, keep-alive
//   packet/        MQTT packets: their properties, and what a server may not send
//   tls/           truststores, keystores, and why a handshake fails
//
// Threads. All connections have one supervisor, an EventLoop on a thread that main starts. The
// states of a Connection belong to it, so they need no lock. All connections share
// Paho's receive thread. It brings messages straight to a MessageListener, without Paho's lock but
// with the client's, so on_message must not block. Everything else comes on both of Paho's threads
// through ClientEvents, with Paho's lock, and is posted to the supervisor: whoever may have to wait
// for such a callback must not call Paho with a lock that it takes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/backoff.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "config/last_will.hpp"
#include "config/password_command.hpp"
#include "config/protocol.hpp"
#include "config/proxy.hpp"
#include "config/secret.hpp"
#include "config/server.hpp"
#include "config/topic.hpp"
#include "mqtt/message.hpp"
#include "mqtt/packet/properties.hpp"
#include "mqtt/packet/publish_packet.hpp"
#include "mqtt/tls/tls_fwd.hpp"

namespace triggerd::mqtt {

struct ConnectionOptions {
  std::string alias;      // for messages
  std::string trigger;    // for messages; empty for the alias's own connection
  std::string client_id;  // what the server knows the session by
  std::vector<config::Server> servers;
  config::Protocol protocol = config::Protocol::v3_1_1;
  bool clean_session = true;
  std::chrono::seconds session_expiry{0};  // MQTT 5, of a session that is not clean
  std::uint16_t receive_maximum = 65'535;  // MQTT 5: messages in flight to us
  std::uint16_t topic_aliases = 0;         // MQTT 5: how many the server may assign
  // Messages of QoS 1 and 2 in flight from us; a server of MQTT 5 may take fewer. nullopt: what the
  // server says it takes, or 20.
  std::optional<std::uint16_t> max_inflight;
  std::optional<Millis> connection_timeout;  // nullopt: without limit
  Millis keep_alive{0};
  Backoff reconnect;
  std::uint64_t max_packet_size = 0;  // bytes
  std::string user_name;
  config::Secret password;
  std::filesystem::path password_file;        // holds the password, and is read for each connect
  config::PasswordCommand password_command;   // prints the password; no words: it is above
  std::optional<config::Proxy> proxy;         // nullopt: straight to the servers
  std::shared_ptr<tls::Current> tls;          // where the servers have TLS
  std::optional<config::LastWill> last_will;  // with its on-connect and on-disconnect payloads
  // Subscribed to on every connect; a shared subscription has its $share/GROUP/ in front.
  std::vector<config::Topic> topics;
  std::size_t filters_per_packet = 100;  // in one SUBSCRIBE or UNSUBSCRIBE, at most
  // Acknowledgements of QoS 1 and 2 wait for Receipt::release().
  bool hold_acknowledgements = false;
  // Messages are published with PublishLine, too.
  bool keeps_publishes = false;
};

// What the server answered to one filter.
struct Grant {
  std::string filter;
  int asked_qos = 0;
  std::optional<int> granted_qos;  // nullopt: refused
  std::string refusal;             // ": why", where that is known
};

struct ConnectionStatus {
  enum class State {
    off,          // not wanted: not opened, paused or closed
    connecting,   // looks the name up, or waits for CONNACK
    subscribing,  // connected; not every filter was answered
    up,           // connected, and every filter was answered
    waiting       // for the next attempt; `reason` says why
  };
  State state = State::off;
  std::string reason;
  std::string server;  // the one connected to
  std::vector<Grant> grants;
  std::uint64_t sessions_lost = 0;  // how many the server was to keep and did not, since the start

  // Up, with every filter granted at some QoS.
  bool running() const;
};
std::string_view to_string(ConnectionStatus::State state);

// What a server sends for a session, straight from the client library. All of it comes on Paho's
// receive thread, and must not block, publish, or call anything that waits for another thread.
class MessageListener {
 public:
  virtual ~MessageListener() = default;
  virtual void on_message(Message&& message) = 0;
  // The last message of those that came together has been told.
  virtual void on_batch_end() {}
  // PUBREL: the server forgets a QoS 2 message, whose packet id may belong to another message next.
  // `receipt` is that of the PUBCOMP, which waits until it is released.
  virtual void on_pubrel(std::uint16_t packet_id, Receipt receipt) {
    (void)packet_id;
    receipt.release();
  }
  // The server has no session of ours, so earlier packet ids mean nothing. Comes before the first
  // message of the new session.
  virtual void on_session_lost() {}
};

// What a server takes of what is published.
struct PublishLimits {
  int qos = 2;
  bool retained = true;
  std::uint64_t packet_size = 0;  // 0: any
};

// Where an outbox publishes: a connection that is up, and packets that the library knows nothing
// of. [supervisor]
class PublishLine {
 public:
  virtual ~PublishLine() = default;
  struct Terms {
    bool session_present = false;  // the server has what was sent before and not confirmed
    bool v5 = false;
    std::size_t window = 1;  // messages of QoS 1 and 2 that it takes unconfirmed
    PublishLimits limits;
  };
  // As wire::Link::send().
  virtual bool send(std::string_view packets, const std::vector<std::size_t>& publishes) = 0;
  // Bytes that were sent and wait for room in the socket.
  virtual std::size_t unsent() const = 0;
  // Only a new connection helps, for this reason.
  virtual void connect_again(const std::string& why) = 0;
};

class ConnectionListener : public MessageListener {
 public:
  // Where ConnectionOptions::keeps_publishes is set: `line` may be used from now on until
  // off_line(); what the server answers to what it sent. [supervisor]
  virtual void on_line(PublishLine& line, const PublishLine::Terms& terms) {
    (void)line;
    (void)terms;
  }
  virtual void on_answers(const std::vector<PublishAnswer>& answers) { (void)answers; }
  virtual void off_line(PublishLine& line) { (void)line; }
  // A message over max_packet_size came; it is without its payload. [Paho receive thread]
  virtual void on_refused(Message&& message) { message.receipt.release(); }
  // Called after every change. [supervisor]
  virtual void on_status(const ConnectionStatus& status) = 0;
};

// What a runtime remembers of the sessions it made, so that it notices when one is lost, and which
// filters are stale. All on the supervisor.
class SessionMemory {
 public:
  virtual ~SessionMemory() = default;
  // The filters that were subscribed to last; nullopt: no session is expected.
  virtual std::optional<std::vector<std::string>> filters(const std::string& client_id) = 0;
  // Whether the session under the client id was made for this alias.
  virtual bool is_known(const ConnectionOptions& options) {
    return filters(options.client_id).has_value();
  }
  virtual void remember(const std::string& client_id, const std::vector<std::string>& filters) = 0;
  virtual void forget(const std::string& client_id) = 0;
  // `server`, one of those in `options`, has the session now.
  virtual void found_at(const ConnectionOptions& options, const std::string& server) {
    (void)options;
    (void)server;
  }
};

enum class PublishError { not_connected, full, invalid };

struct PublishRequest {
  std::string_view topic;  // a valid topic name
  std::span<const std::uint8_t> payload;
  int qos = 1;
  bool retained = false;
  std::span<const Property> properties = {};  // MQTT 5; see check_publish_properties()
  // Servers take only so many at once: a publish that has waited for longer is not sent any more.
  Millis wait_limit{30'000};
};

// Told once the server has the message (QoS 0: once it was written), or why the server may not have
// it. The code of the error is MQTT 5's reason code, if the server has refused the message with
// one, or has said before that it does not take such messages. Called exactly once, on any thread,
// possibly from inside publish() and with Paho's lock held: it must not block or publish.
using PublishDone = std::function<void(Result<>)>;

}  // namespace triggerd::mqtt
