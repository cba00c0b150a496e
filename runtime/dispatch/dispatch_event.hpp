// Events of a dispatcher: what became of a message, or of the service, as plain values. They are
// made under the dispatcher's lock, and handed to the DeliverySink once it is released.
//
// A message that was handled is not among them: it has a function of its own in the sink, since
// that is how nearly every message ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "dispatch/delivery.hpp"

namespace triggerd::dispatch {

// A message that stays in the dispatcher. Another thread may be working on it already, so read only
// the constant parts of its Delivery, and the atomic ones.
using OngoingDelivery = std::shared_ptr<const Delivery>;

namespace event {

// An attempt failed, and was not the last one.
struct Retrying {
  OngoingDelivery delivery;
  std::uint32_t attempts = 0;  // so far
  Millis delay{};              // until the next one
  std::string reason;
};

// TRIGGER_UNAVAILABLE: nothing is wrong with the message. It goes again before all others of its
// lane, and the attempt does not count.
struct PutOff {
  OngoingDelivery delivery;
  std::uint32_t attempt = 0;
  std::string reason;
};

// What the service needs is away: nothing is handed out until one message has been tried, after
// `next`.
struct Unavailable {
  std::string reason;
  std::uint32_t failures = 0;  // in a row
  Millis next{};
};

// What the service needs is back, and messages are handed out again.
struct Available {
  std::uint32_t failures = 0;
  Monotonic::duration lasted{};
};

// Out of attempts, with on_exhausted = "discard". The dispatcher is done with it.
struct Discarded {
  DeliveryPtr delivery;
  std::string reason;
};

// Past its sender's message expiry (MQTT 5), and not handed to a service. The dispatcher is done
// with it.
struct Expired {
  DeliveryPtr delivery;
};

// A message with its key was handled lately, and no service sees this one. The dispatcher is done
// with it.
struct Duplicate {
  DeliveryPtr delivery;
};

// There are more keys of handled messages than are remembered: reported once.
struct TooManyKeys {};

// Out of attempts, with on_exhausted = "suspend": nothing is handed out until resume().
struct Suspended {
  OngoingDelivery delivery;
  std::string reason;
};

// A call of the service has not returned by its deadline. Its lane and its place wait for it.
struct Overrunning {
  OngoingDelivery delivery;
};

// As many pending attempts as queue_capacity have expired without being completed: nothing more is
// handed out.
struct Stalled {
  std::size_t attempts = 0;
};

// The result of the probe that begin_probe() asked for.
struct ProbeEnded {
  Result<> outcome;
};

// The half-open attempt that begin_half_open() asked for is over: its message was handled, or it
// failed and waits on.
struct HalfOpenEnded {
  bool handled = false;
};

// A call of a service that is declared brief has kept the receive thread for `kept`, and still does
// if it has not `returned`. Workers call the service from now on. Reported once.
struct NotBrief {
  Monotonic::duration kept{};
  bool returned = false;
};

}  // namespace event

using DispatchEvent =
    std::variant<event::Retrying, event::PutOff, event::Unavailable, event::Available,
                 event::Discarded, event::Expired, event::Duplicate, event::TooManyKeys,
                 event::Suspended, event::Overrunning, event::Stalled, event::ProbeEnded,
                 event::HalfOpenEnded, event::NotBrief>;

}  // namespace triggerd::dispatch
