// How a connection is made, and who takes what comes on it.
//
// The library's calls carry a host name and a port and nothing else. So every dial has a name of
// its own, which the library gets in place of the host. When the library looks that name up, the
// dial is found by it, and the library's next socket belongs to the dial. The real address is known
// by then: a lookup by the library would freeze every connection of the process.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "mqtt/packet/packet_check.hpp"
#include "mqtt/packet/publish_packet.hpp"
#include "mqtt/wire/ack_queue.hpp"
#include "mqtt/wire/proxy.hpp"
#include "mqtt/wire/websocket.hpp"

namespace triggerd::mqtt::wire {

class Link;

// A packet from the server that the library does not see. Its views are valid during the call.
struct Taken {
  enum class Kind : std::uint8_t {
    message,
    too_large,  // a message that was not kept: `payload` is empty, `size` is what it was
    pubrel
  };
  Kind kind = Kind::message;
  std::uint8_t qos = 0;
  bool dup = false;
  bool retained = false;
  std::uint16_t packet_id = 0;           // QoS 1, QoS 2, PUBREL
  std::string_view topic;                // empty: the topic alias stands for it (MQTT 5)
  std::string_view properties;           // MQTT 5, without their length
  PacketCheck::PublishFacts facts = {};  // what they say
  std::string_view payload;
  std::uint64_t size = 0;  // of topic and payload, in bytes
  // Names the PUBACK, PUBREC or PUBCOMP that is owed for it; QoS 0 owes nothing.
  AckQueue::Ticket ticket = 0;
  // The memory that topic, properties and payload lie in. It belongs to the taker, who frees it
  // with free(3); a NUL follows the topic. Null: they lie in memory that is used again.
  char* memory = nullptr;
};

// Where packets go. The link keeps it alive.
class PacketSink {
 public:
  virtual ~PacketSink() = default;
  // `link` is the connection that was dialled. [Paho's threads]
  virtual void on_link(const std::shared_ptr<Link>& link) = 0;
  // In the order in which they came; no lock of the library is held. [receive thread]
  virtual void on_packets(Link& link, std::span<const Taken> packets) = 0;
  // What the server says to publishes that were sent with Link::send(). [receive thread]
  virtual void on_answers(std::vector<PublishAnswer> answers) { (void)answers; }
  // The last packet of those that came together has been handed over. [receive thread]
  virtual void on_batch_end() = 0;
};

struct Dial {
  std::string host;     // of the server, for its certificate
  std::string address;  // numeric: what is connected to, the server or its proxy
  bool tls = false;
  bool v5 = false;
  std::optional<WebSocket::Target> websocket = std::nullopt;
  std::optional<config::Proxy> proxy = std::nullopt;
  ProxyHandshake::Target target = {};    // behind the proxy
  std::uint64_t max_message = 1 << 20;   // bytes of topic and payload
  std::size_t receive_maximum = 0;       // MQTT 5: unconfirmed messages; 0: any number
  bool hold = false;                     // acknowledgements wait for Receipt::release()
  bool shared = false;                   // not only the library publishes: see Link::send()
  Millis keep_alive{0};                  // 0: without
  const Clock* clock = &system_clock();  // sockets that nobody dialled have this one
  std::shared_ptr<PacketSink> sink = nullptr;
};

// The name of a dial, which is found by it as long as this lives. [any]
class DialName {
 public:
  DialName() = default;
  explicit DialName(std::shared_ptr<const Dial> dial);
  ~DialName();
  DialName(DialName&& other) noexcept;
  DialName& operator=(DialName&& other) noexcept;
  DialName(const DialName&) = delete;
  DialName& operator=(const DialName&) = delete;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Whether this is the name of a dial that is there, or was. Pure.
bool is_dial_name(std::string_view name);
// Null: there is no dial with this name. [any]
std::shared_ptr<const Dial> find_dial(std::string_view name);
// The host that a certificate has to be issued for: that of the dial with this name, else `name`.
// [any]
std::string dialled_host(std::string_view name);

}  // namespace triggerd::mqtt::wire
