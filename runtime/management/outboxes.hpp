// Outboxes: what aliases keep to publish until their servers have it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "management/errors.hpp"

namespace triggerd::management {

struct OutboxStatus {
  std::uint64_t messages = 0;  // that are kept, those that were sent and not confirmed included
  std::uint64_t bytes = 0;     // of their topics, payloads and properties
  std::uint64_t max_bytes = 0;
  std::uint64_t in_flight = 0;  // sent, and not confirmed
  std::optional<Wall> oldest;   // when the oldest of them was published
  // Messages since the start.
  std::uint64_t sent = 0;     // the server has them
  std::uint64_t refused = 0;  // the server does not take them
  std::uint64_t dropped = 0;  // for lack of room
  std::uint64_t expired = 0;
  std::uint64_t cleared = 0;
};

struct KeptMessage {
  std::string topic;
  std::string payload;  // only its beginning
  std::uint64_t payload_size = 0;
  int qos = 1;
  bool retained = false;
  Wall published{};
};

// Thread-safe. Each call reads or writes the inbox, which is on disk.
class OutboxControl {
 public:
  virtual ~OutboxControl() = default;

  // The oldest messages, `limit` (1 to 1000) at most, with at most `payload_bytes` of each payload.
  // Those that the server confirmed before they were written are not among them.
  virtual Outcome<std::vector<KeptMessage>> kept_messages(std::string_view alias, std::size_t limit,
                                                          std::size_t payload_bytes) const = 0;
  // Removes all that were not sent yet; returns how many. Those that were sent go on to wait for
  // the server.
  virtual Outcome<std::uint64_t> clear_outbox(std::string_view alias, const Actor& by) = 0;
};

}  // namespace triggerd::management
