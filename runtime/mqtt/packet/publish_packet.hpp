// The packets of a publish of QoS 1 or 2 that is sent without the library, and what a server
// answers to them (MQTT 3.1.1 and 5.0, sections 3.3 to 3.7). Pure, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace triggerd::mqtt {

struct PublishPacket {
  std::string_view topic;
  std::string_view payload;
  int qos = 1;
  bool retained = false;
  bool dup = false;  // it may have been sent before
  std::uint16_t packet_id = 0;
  std::optional<std::string_view> properties{};  // MQTT 5, as they are on the wire; nullopt: 3.1.1
};

// How many bytes append_publish() appends.
std::size_t size_of(const PublishPacket& packet);
// Wants: size_of() is no more than MQTT allows, which is 256 MiB.
void append_publish(std::string& bytes, const PublishPacket& packet);
void append_pubrel(std::string& bytes, std::uint16_t packet_id);

// PUBACK, PUBREC or PUBCOMP.
struct PublishAnswer {
  enum class Kind : std::uint8_t { puback, pubrec, pubcomp };
  Kind kind = Kind::puback;
  std::uint16_t packet_id = 0;
  int reason = 0;   // MQTT 5: its reason code
  std::string why;  // and the server's words

  // The server does not take the message.
  bool refuses() const { return reason >= 0x80; }
  // It is the last of its handshake.
  bool ends() const { return kind != Kind::pubrec || refuses(); }
};

// nullopt: it is none of the three. Wants: the packet was checked (packet_check.hpp).
std::optional<PublishAnswer> read_publish_answer(std::uint8_t first, std::string_view body);

}  // namespace triggerd::mqtt
