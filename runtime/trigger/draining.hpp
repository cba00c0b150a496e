// Waiting for what triggers have accepted, once they receive nothing new.
#pragma once

#include <functional>
#include <span>

#include "base/clock.hpp"
#include "inbox/writer.hpp"

namespace triggerd::trigger {

class Trigger;

// Lets all of it finish that can by `deadline`. Clean sessions that have unsubscribed receive
// meanwhile what the server had for them by then, for nobody keeps that: until nothing comes for a
// moment, though everything that came is acknowledged, and the server has confirmed that they are
// not subscribed, or taken too long to. Ends early where `give_up` says so, which is asked every
// few milliseconds. [control, main]
void drain_all(std::span<Trigger* const> triggers, inbox::Writer& writer, Monotonic deadline,
               const std::function<bool()>& give_up);

}  // namespace triggerd::trigger
