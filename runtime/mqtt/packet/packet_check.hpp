// Checks whether a packet from the server is well-formed and may come now, before anybody acts on
// it (MQTT 3.1.1 and 5.0, sections 2 and 3). Payloads are not looked at.
//
// It remembers of the connection whether CONNACK has come, the topic aliases that the server
// assigned, and what the server was asked. One object for each connection.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.hpp"

namespace triggerd::mqtt {

// The reason codes of MQTT 5 with which a client ends such a connection.
namespace disconnect_reason {
inline constexpr std::uint8_t kMalformed = 0x81;
inline constexpr std::uint8_t kProtocolError = 0x82;
inline constexpr std::uint8_t kTopicName = 0x90;
inline constexpr std::uint8_t kReceiveMaximum = 0x93;
inline constexpr std::uint8_t kTopicAlias = 0x94;
}  // namespace disconnect_reason

class PacketCheck {
 public:
  struct Wrong {
    std::string what;  // "protocol error by the server: its SUBACK has 1 code for 2 filters"
    std::uint8_t reason;
  };
  // The server sent what it may not: `what`.
  static Wrong refusal(std::uint8_t reason, std::string_view what);

  // Those properties of a PUBLISH of MQTT 5 that matter for every message.
  struct PublishFacts {
    std::optional<std::uint64_t> topic_alias = std::nullopt;
    std::optional<std::uint64_t> expiry = std::nullopt;  // seconds
  };

  // Whether sends() has something to remember of a packet with this first byte. Pure.
  static bool is_request(std::uint8_t first);
  // Whether a packet with this first byte answers one of those. Pure.
  static bool is_answer(std::uint8_t first);
  // A whole packet is about to leave: of CONNECT, SUBSCRIBE and UNSUBSCRIBE it remembers what the
  // answer depends on. [any]
  void sends(std::string_view packet);
  // The first byte of a packet has come: what is wrong already. `came` is the beginning of what the
  // server has sent, or empty. [receive thread]
  std::optional<Wrong> begins(std::uint8_t first, std::string_view came) const;
  // A whole packet has come: what is wrong with it. `body` is what follows its length. [receive
  // thread]
  std::optional<Wrong> look(std::uint8_t first, std::string_view body);
  // What the PUBLISH that was looked at last says. [receive thread]
  const PublishFacts& publish() const { return publish_; }
  // CONNACK has come. [receive thread]
  bool connected() const { return connected_; }
  // A SUBSCRIBE or UNSUBSCRIBE is unanswered; its answer may be behind messages. [any]
  bool awaits_answer() const { return awaited_ > 0; }
  // MQTT 5 is spoken and CONNACK has come, so a client that ends the connection says why. [receive
  // thread]
  bool may_say_why() const { return connected_ && v5_; }

 private:
  std::optional<Wrong> look_at_connack(std::string_view body);
  std::optional<Wrong> look_at_publish(std::uint8_t first, std::string_view body);
  std::optional<Wrong> look_at_ack(std::uint8_t type, std::string_view body);
  std::optional<Wrong> look_at_answer(std::uint8_t type, std::string_view body);

  std::atomic<bool> v5_{false};
  std::atomic<std::uint16_t> most_aliases_{0};
  // The receive thread's.
  bool connected_ = false;
  std::vector<bool> aliases_;  // that were given, by number
  PublishFacts publish_;

  Mutex mutex_;
  struct Asked {
    std::uint8_t type;  // of the request
    std::size_t filters;
  };
  std::map<std::uint16_t, Asked> asked_ TRIGGERD_GUARDED_BY(mutex_);
  std::atomic<std::size_t> awaited_{0};  // of asked_, how many
};

// The first bytes of a packet, for a log line: "90 04 00 01 00". Of a message, nothing after its
// topic and packet id.
std::string first_bytes(std::uint8_t first, std::string_view body);

// The protocol that these first bytes belong to, such as "SSH"; empty: not known.
std::string_view protocol_of(std::string_view came);

}  // namespace triggerd::mqtt
