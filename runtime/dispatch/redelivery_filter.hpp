// Finds the QoS 1 message that a server sends again because its acknowledgement did not arrive, so
// that the first one gets the acknowledgement and no second one is made.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>

#include "dispatch/delivery.hpp"

namespace triggerd::dispatch {

// No lock: [receive thread].
class RedeliveryFilter {
 public:
  using Visit = std::function<void(const DeliveryPtr&)>;
  // `unfinished` visits every message that is not finished. It is called once for each connection
  // on which something is sent again.
  explicit RedeliveryFilter(std::function<void(const Visit&)> unfinished)
      : unfinished_(std::move(unfinished)) {}

  // The message that `message`, of QoS 1, is certain to repeat; null: it counts as a new one. A
  // message is found once on a connection.
  DeliveryPtr find(const mqtt::Message& message) {
    if (message.dup) return find_repeated(message);
    reset();  // servers repeat first what they repeat
    return nullptr;
  }
  // Nothing of what came before will be sent again.
  void reset() { candidates_.reset(); }

 private:
  DeliveryPtr find_repeated(const mqtt::Message& message);
  void gather(const mqtt::Receipt& receipt);

  const std::function<void(const Visit&)> unfinished_;
  // What may be sent again, by packet id; nullopt: that is not known yet, or of no use any more.
  std::optional<std::unordered_multimap<std::uint16_t, DeliveryPtr>> candidates_;
  mqtt::Receipt connection_;  // of the connection that they are candidates for
};

}  // namespace triggerd::dispatch
