// How a trigger delivers its messages: in which order, when it acknowledges them, and what happens
// if its service fails.
#pragma once

#include <cstdint>
#include <string>

#include "base/backoff.hpp"
#include "base/clock.hpp"

namespace triggerd::config {

// Which messages of a trigger may not overtake each other.
struct Order {
  enum class By {
    trigger,      // all of them
    topic,        // those with the same topic
    topic_level,  // those whose topics agree at level `level`, counted from 1
    property,     // MQTT 5: those with the same value of user property `pointer`
    json,         // those with the same value at JSON pointer `pointer` of their payload
    none
  };
  By by = By::trigger;
  unsigned level = 0;
  std::string pointer;  // By::json: the JSON pointer; By::property: the name
};

// Which messages of a trigger count as the same one: it is handled once within `window`.
struct Deduplicate {
  enum class By {
    property,  // MQTT 5: those with the same value of user property `pointer`
    json,    // those with the same text or whole number at JSON pointer `pointer` of their payload
    payload  // those with the same payload
  };
  By by = By::payload;
  std::string pointer;  // By::json: the JSON pointer; By::property: the name
  bool topic = false;   // and the same topic
  Millis window{3'600'000};
  std::uint32_t max = 1'000'000;  // keys that are remembered
};

enum class Retained { process, skip, once };
enum class Acknowledge { received, finished, durable };
enum class OnExhausted { dead_letter, suspend, discard };

struct Retry {
  // Including the first attempt. With the intervals below, the last one comes after a minute or
  // two: long enough to restart whatever the service calls.
  std::uint32_t max_attempts = 8;
  Backoff backoff{Millis{1'000}, Millis{300'000}, 2.0};
};

}  // namespace triggerd::config
