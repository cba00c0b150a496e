// What happens in a runtime, as it happens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.hpp"

namespace triggerd::management {

struct AdminEvent {
  std::uint64_t number = 0;  // counts all events of the runtime, so gaps are what was dropped
  Wall when{};
  // "message": one verdict of one message; "dead_letter"; "trigger", "alias", "connection",
  // "plugin", "package", "runtime", "inbox": a change of state, which `text` tells.
  std::string kind;
  std::string trigger;
  std::string alias;
  std::string plugin;
  std::string text;
  // Of kind "message" and "dead_letter".
  std::string message_id;
  std::string topic;
  std::string payload;  // its beginning, kMaxEventPayload bytes at most
  std::uint64_t payload_size = 0;
  int qos = 0;
  std::string verdict;  // "ok", "retry", "reject", "timeout", "expired", "discarded"
  std::uint32_t attempt = 0;
  double seconds = 0;  // in the service
};
inline constexpr std::size_t kMaxEventPayload = 1'024;

// One listener's queue; as long as none exists, events cost nothing. [one thread]
class Subscription {
 public:
  virtual ~Subscription() = default;
  // Waits for one, at most to `deadline`. nullopt: none came, or the runtime stops.
  virtual std::optional<AdminEvent> next(Monotonic deadline) = 0;
  // Events that were dropped because this listener was too slow. [any]
  virtual std::uint64_t dropped() const = 0;
  // No more will come. [any]
  virtual bool ended() const = 0;
};

struct EventFilter {
  bool states = true;    // every kind but messages
  bool messages = true;  // "message" and "dead_letter"
  std::string trigger;   // empty: of all; else only what names it
};

// Hands out events to those who subscribe. Thread-safe; takes short locks only.
class EventSource {
 public:
  virtual ~EventSource() = default;

  // `capacity` events wait at most; a listener that is slower loses some, and is told how many.
  virtual std::unique_ptr<Subscription> subscribe(const EventFilter& filter,
                                                  std::size_t capacity) = 0;
};

}  // namespace triggerd::management
