// One message on its way through one trigger: the same over all attempts.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "mqtt/message.hpp"

namespace triggerd::trigger {

struct Lane;

struct Delivery {
  // Constant once accepted.
  mqtt::Message message;
  std::string id;  // see message_id.hpp

  // Under the dispatcher's lock, until the message is finished, buried or discarded.
  std::uint32_t attempts = 0;  // begun so far
  std::string last_reason;     // of the attempt that failed last
  Lane* lane = nullptr;
  std::optional<std::string>
      burial;  // a dead letter that could not be written yet, and why it died
};
using DeliveryPtr = std::shared_ptr<Delivery>;

}  // namespace triggerd::trigger
