// mqtt/: sessions with MQTT servers, on Paho MQTT C. It knows base/ and config/, and not what a
// trigger is: a Connection carries one MQTT client, and tells a listener what arrives and how it is
// doing.
//
//   mqtt.hpp            what the rest of the runtime uses: options, listener, publish
//   connection.hpp      the state machine of one connection (and connection_session.cpp, ..._renew)
//   publishes.hpp       how much of what is published is in flight, and what waits
//   losses.hpp          which connections to a server ended together
//   client.hpp          the seam to the MQTT library
//   paho_client.hpp     the library behind that seam, and paho_handles.hpp when its handles go
//   resolver.hpp        host names to addresses, off every thread that must not wait
//   message.hpp         a received message, with its receipt.hpp
//   tls/                truststores, keystores, and why a handshake fails
//   properties.hpp      the properties of MQTT 5, and reason.hpp its reason codes
//   packet_check.hpp    what a server may not send; packet_type.hpp, packet_bytes.hpp: of packets
//   wire/               under the library: what comes is taken there, and proxies, WebSocket, pings
//
// Threads. One supervisor for all connections: an EventLoop on a thread that main starts. Every
// state of a Connection belongs to it, so those states need no lock. Paho's two threads come in
// through Client's callbacks: messages go straight to the listener, everything else is posted to
// the supervisor. Messages come on Paho's receive thread without Paho's lock, but under the
// client's, and all connections share that thread; so on_message must not block. Other callbacks
// have Paho's lock: nobody who may wait for one calls into Paho with a lock that a callback takes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "config/config.hpp"
#include "mqtt/message.hpp"
#include "mqtt/packet/properties.hpp"
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
  std::uint16_t receive_maximum = 65'535;  // MQTT 5: in flight to us
  std::uint16_t topic_aliases = 0;         // MQTT 5: that the server may give
  // In flight from us, of QoS 1 and 2; a server of MQTT 5 may take fewer. nullopt: what it says it
  // takes, or 20.
  std::optional<std::uint16_t> max_inflight;
  std::optional<Millis> connection_timeout;  // nullopt: without limit
  Millis keep_alive{0};
  Backoff reconnect;
  std::uint64_t max_packet_size = 0;
  std::string user_name;
  config::Secret password;
  std::filesystem::path password_file;        // it is in there, and read for each connect
  std::optional<config::Proxy> proxy;         // nullopt: straight to the servers
  std::shared_ptr<tls::Current> tls;          // where the servers have TLS
  std::optional<config::LastWill> last_will;  // with its on-connect and on-disconnect payloads
  // Subscribed to on every connect; a shared one with its $share/GROUP/ in front.
  std::vector<config::Topic> topics;
  std::size_t filters_per_packet = 100;  // of one SUBSCRIBE or UNSUBSCRIBE, at most
  // Acknowledgements of QoS 1 and 2 wait for Receipt::release().
  bool hold_acknowledgements = false;
};

// What the server made of one filter.
struct Grant {
  std::string filter;
  int asked_qos = 0;
  std::optional<int> granted_qos;  // nullopt: refused
  std::string refusal;             // ": why", where that is known
};

struct ConnectionStatus {
  enum class State {
    off,         // not wanted: never opened, paused or closed
    connecting,  // looking up the name, waiting for CONNACK
    subscribing,
    up,      // connected, and every filter was answered
    waiting  // for the next attempt; `reason` says why
  };
  State state = State::off;
  std::string reason;
  std::string server;  // the one connected to
  std::vector<Grant> grants;
  std::uint64_t sessions_lost = 0;  // that the server was to keep, since the start

  // Up, with every filter granted at some QoS.
  bool running() const;
};
std::string_view to_string(ConnectionStatus::State state);

class ConnectionListener {
 public:
  virtual ~ConnectionListener() = default;
  // [Paho receive thread]: must not block, publish, or call anything that waits for another thread.
  virtual void on_message(Message&& message) = 0;
  // A message over max_packet_size, instead of on_message(): without its payload. [Paho receive
  // thread]
  virtual void on_refused(Message&& message) { message.receipt.release(); }
  // After the last message of those that came together. [Paho receive thread]
  virtual void on_batch_end() {}
  // The server forgets a QoS 2 message, with PUBREL: its packet id may be another message's next.
  // `receipt` is the PUBCOMP's, which waits until it is released. [Paho receive thread]
  virtual void on_pubrel(std::uint16_t packet_id, Receipt receipt) {
    (void)packet_id;
    receipt.release();
  }
  // The server has no session of ours: packet ids of before mean nothing. Before the first message
  // of the new one. [Paho receive thread]
  virtual void on_session_lost() {}
  // After every change. [supervisor]
  virtual void on_status(const ConnectionStatus& status) = 0;
};

// What a runtime remembers of the sessions it made, so that it notices lost ones and stale filters.
class SessionMemory {
 public:
  virtual ~SessionMemory() = default;
  // The filters last subscribed to; nullopt where there is no session to expect. [supervisor]
  virtual std::optional<std::vector<std::string>> filters(const std::string& client_id) = 0;
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
  // Servers take only so many at once: one that has had to wait for longer is not sent any more.
  Millis wait_limit{30'000};
};

// Once the server has the message (QoS 0: once it was written), or why it may not have it; the code
// of the error is MQTT 5's reason code, where the server has refused the message with one, or has
// said before that it does not take such a message. Called exactly once, on any thread, possibly
// with Paho's lock held and from inside publish(): it must not block or publish.
using PublishDone = std::function<void(Result<>)>;

}  // namespace triggerd::mqtt
