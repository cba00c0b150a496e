// How a connection is made, and who takes what comes on it.
//
// The library's calls carry a host name and a port and nothing else. So every dial has a name of
// its own, which stands in the place of the host in the address that the library gets; who it is
// comes back with the library's look-up of that name, and its next socket belongs to it. The
// address is known by then: a look-up by the library would freeze every connection of the process.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "mqtt/packet/packet_check.hpp"
#include "mqtt/wire/gate.hpp"
#include "mqtt/wire/proxy.hpp"
#include "mqtt/wire/websocket.hpp"

namespace triggerd::mqtt::wire {

class Link;

// A packet of the server that the library does not see. Its views are valid during the call.
struct Taken {
  enum class Kind : std::uint8_t {
    message,
    too_large,  // a message that was not kept: `payload` is empty, `size` is what it had
    pubrel
  };
  Kind kind = Kind::message;
  std::uint8_t qos = 0;
  bool dup = false;
  bool retained = false;
  std::uint16_t packet_id = 0;           // QoS 1, QoS 2, PUBREL
  std::string_view topic;                // empty: its topic alias says it (MQTT 5)
  std::string_view properties;           // MQTT 5, without their length
  PacketCheck::PublishFacts facts = {};  // of these
  std::string_view payload;
  std::uint64_t size = 0;  // of topic and payload, in bytes
  // Of what is owed for it: PUBACK, PUBREC, or PUBCOMP; nothing for QoS 0.
  Gate::Ticket ticket = 0;
  // Memory that topic, properties and payload lie in, and that is the taker's, to be freed with
  // free(3); the topic has a NUL behind it. Null: they lie in memory that is used again.
  char* memory = nullptr;
};

// Where packets go. Outlives every call; the link keeps it alive.
class PacketSink {
 public:
  virtual ~PacketSink() = default;
  // `link` carries the connection that was dialled. [Paho's threads]
  virtual void on_link(const std::shared_ptr<Link>& link) = 0;
  // In the order in which they came; without a lock of the library. [receive thread]
  virtual void on_packets(Link& link, std::span<const Taken> packets) = 0;
  // After the last packet of those that came together. [receive thread]
  virtual void on_batch_end() = 0;
};

struct Dial {
  std::string host;     // of the server, for its certificate
  std::string address;  // numeric: what is connected to, the server or its proxy
  bool tls = false;
  bool v5 = false;
  std::optional<WebSocket::Target> websocket = std::nullopt;
  std::optional<config::Proxy> proxy = std::nullopt;
  ProxyHandshake::Target target = {};   // behind the proxy
  std::uint64_t max_message = 1 << 20;  // bytes of topic and payload
  std::size_t receive_maximum = 0;      // MQTT 5: unconfirmed messages; 0: any number
  bool hold = false;                    // acknowledgements wait for Receipt::release()
  Millis keep_alive{0};                 // 0: without
  std::shared_ptr<PacketSink> sink = nullptr;
};

// A dial's name, for as long as this lives. [any]
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

// Whether a dial has, or had, such a name. Pure.
bool is_dial_name(std::string_view name);
// Null where `name` is none. [any]
std::shared_ptr<const Dial> find_dial(std::string_view name);
// The host that a certificate has to be made out to: of the dial with this name, else `name`. [any]
std::string dialled_host(std::string_view name);

}  // namespace triggerd::mqtt::wire
