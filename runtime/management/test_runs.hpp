// Calls to a server or a service on an administrator's behalf: test runs, and publishing a message.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "management/definitions.hpp"
#include "management/errors.hpp"
#include "management/pacing.hpp"

namespace triggerd::management {

struct AliasTest {
  bool ok = false;
  std::string reason;  // why not ok
  std::string server;  // the one that answered
  double seconds = 0;  // until CONNACK, or until it failed
};

struct TriggerTestMessage {
  std::string topic;
  std::string payload;
  int qos = 1;
  bool retained = false;
  std::vector<std::pair<std::string, std::string>> user_properties;
};

struct TriggerTest {
  std::string verdict;  // "ok", "filtered", "retry", "unavailable", "reject", "timeout", "invalid"
  std::string reason;
  std::uint64_t retry_after_ms = 0;
  double seconds = 0;  // spent in the service
  struct LogLine {
    std::string level;
    std::string text;
  };
  std::vector<LogLine> log;
  struct Published {
    std::string alias;
    std::string topic;
    std::string payload;
    int qos = 0;
    bool retained = false;
  };
  std::vector<Published> published;  // what it would have published; nothing was sent
  PacingRules pacing{};              // of the trigger; a test does not wait for them
  // Of a trigger that handles each message once. The call is made all the same.
  struct Key {
    std::string rule;                 // "json:/id"
    std::optional<std::string> text;  // what the message has there; nullopt: it has no key
    bool handled = false;             // one with its key was, so this one would be a duplicate
  };
  std::optional<Key> key{};
};

struct PublishMessage {
  std::string alias;
  std::string topic;
  std::string payload;
  int qos = 1;
  bool retained = false;
  std::vector<std::pair<std::string, std::string>> user_properties;  // MQTT 5
};

// Tries things out without touching what runs. Thread-safe: each call waits for a server or a
// service, for at most `timeout`. While the runtime stops, calls fail with `unavailable`.
class TestRuns {
 public:
  virtual ~TestRuns() = default;

  // Connects with another client id and a clean session, and disconnects.
  virtual Outcome<AliasTest> test_alias(std::string_view name, Millis timeout) = 0;
  // Does the same with an alias that is not defined yet.
  virtual Outcome<AliasTest> test_alias(const std::string& name, const DefinitionText& text,
                                        Millis timeout) = 0;
  // Calls the trigger's service in an instance made for this call, with a made-up message that is
  // not stored. What the service publishes is reported, but not sent. Making the instance waits its
  // turn on [control].
  virtual Outcome<TriggerTest> test_trigger(std::string_view name,
                                            const TriggerTestMessage& message, Millis timeout) = 0;
  // Really publishes the message. Returns once the server has it.
  virtual Outcome<> publish(const PublishMessage& message, Millis timeout) = 0;
};

}  // namespace triggerd::management
