// What the inbox keeps, as values.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/clock.hpp"

namespace triggerd::inbox {

// A message that is not tried again by itself, and the reason.
struct DeadLetter {
  std::int64_t number = 0;  // given by add()
  std::string message_id;
  std::string trigger;
  std::string topic;
  std::string payload;  // or its beginning, if no more was asked for
  int qos = 0;
  bool retained = false;
  std::string reason;
  std::uint32_t attempts = 0;
  Wall received{};
  Wall died{};
  std::optional<std::string> properties{};  // as in StoredMessage
  std::uint64_t payload_size = 0;           // of the whole payload, if that was read
};

// An accepted message that was not finished when the previous process ended.
struct StoredMessage {
  std::int64_t number = 0;  // in the order of arrival
  std::string message_id;
  std::string trigger;
  std::string topic;
  std::string payload;
  int qos = 0;
  bool retained = false;
  std::uint16_t packet_id = 0;
  std::uint32_t attempts = 0;
  Wall received{};
  // The properties of MQTT 5 as they were on the wire; nullopt: the message came over 3.1.1.
  std::optional<std::string> properties{};
  std::optional<Monotonic> expires{};
};

// A QoS 2 message of MQTT 3.1.1 that an older version of the runtime has kept between PUBREC and
// PUBREL.
struct StagedMessage {
  std::string key;  // "r-ID", with the packet id
  std::string message_id;
  std::string packet;  // the PUBLISH with its header
};

// A QoS 2 message that was accepted and whose PUBREL has not come yet.
struct AwaitingPubrel {
  std::uint16_t packet_id = 0;
  std::string message_id;
};

// A message that is to be published once its server takes it.
struct OutgoingMessage {
  std::int64_t number = 0;      // in the order of publishing
  std::uint16_t packet_id = 0;  // under which it is sent
  std::string topic;
  std::string payload;
  int qos = 1;
  bool retained = false;
  std::optional<std::string> properties{};  // of MQTT 5, as they are on the wire
  Wall kept{};
  std::optional<Monotonic> expires{};
};

// What tells whether two messages are the same: the first half of a SHA-256.
using MessageKey = std::array<std::uint8_t, 16>;

// The key of a message that was handled, as the writer gets it from a KeyList.
struct HandledKey {
  std::int64_t list = 0;
  std::int64_t number = 0;  // in the order of handling; 0: the message was not handled yet
  MessageKey key{};
  Monotonic handled{};
  std::int64_t forget_to = 0;  // keys up to this number are removed with it; 0: none are
};

// A persistent session that a server keeps for us.
struct Session {
  std::string client_id;
  std::string alias;   // for which it was last made
  std::string server;  // that has it, as addresses are shown; both empty: an older version made it
};

struct TriggerState {
  enum class State { disabled, suspended };
  State state = State::disabled;
  std::string changed_by;
  std::string reason;
  Wall since{};
};

// Selects dead letters.
struct DeadLetterSelection {
  std::string trigger;             // empty: of all triggers
  std::optional<Wall> since{};     // written then or later
  std::optional<Wall> until{};     // written before
  std::int64_t up_to = INT64_MAX;  // with this number or a lower one
};

struct Figures {
  struct OfTrigger {
    std::uint64_t messages = 0;  // accepted, and not finished
    std::optional<Wall> oldest;  // when the oldest of them was received
    std::uint64_t dead_letters = 0;
  };
  std::map<std::string, OfTrigger, std::less<>> triggers;
  std::uint64_t bytes = 0;  // of the file and its WAL
};

}  // namespace triggerd::inbox
