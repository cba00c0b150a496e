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
  std::uint64_t number = 0;  // counts all events: a gap is what was dropped or filtered out
  Wall when{};
  // "message": one verdict of one message; "dead_letter": the verdict that made one, or what was
  // done with one. Others are changes of state, described in `text`, and named by the first word of
  // the log event: "trigger", "alias", "connection", "plugin", "package", "runtime", "inbox"...
  std::string kind;
  std::string trigger;
  std::string alias;
  std::string plugin;
  std::string text;
  // Only for verdicts; events from the log have `message_id` at most.
  std::string message_id;
  std::string topic;
  std::string payload;  // its beginning, kMaxEventPayload bytes at most
  std::uint64_t payload_size = 0;
  int qos = 0;
  std::string verdict;  // "ok", "filtered", "duplicate", "retry", "unavailable", "reject",
                        // "expired", "discarded"
  std::uint32_t attempt = 0;
  double seconds = 0;  // spent in the service
};
inline constexpr std::size_t kMaxEventPayload = 1'024;

// One listener's queue; as long as none exists, events cost nothing. [one thread]
class Subscription {
 public:
  virtual ~Subscription() = default;
  // Waits for an event until `deadline` at most. nullopt: none came, or the runtime stops.
  virtual std::optional<AdminEvent> next(Monotonic deadline) = 0;
  // Events that were dropped because this listener was too slow. [any]
  virtual std::uint64_t dropped() const = 0;
  // No new events will come; next() still returns those that wait. [any]
  virtual bool ended() const = 0;
};

struct EventFilter {
  bool states = true;    // every kind but "message" and "dead_letter"
  bool messages = true;  // "message" and "dead_letter"
  std::string trigger;   // empty: all events; else only those of this trigger
};

// Hands out events to those who subscribe. Thread-safe; takes short locks only.
class EventSource {
 public:
  virtual ~EventSource() = default;

  // At most `capacity` events wait; a listener that is too slow loses some, and dropped() says how
  // many.
  virtual std::unique_ptr<Subscription> subscribe(const EventFilter& filter,
                                                  std::size_t capacity) = 0;
};

}  // namespace triggerd::management
