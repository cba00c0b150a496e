#include "trigger/draining.hpp"

#include <algorithm>
#include <thread>
#include <vector>

#include "trigger/trigger.hpp"

namespace triggerd::trigger {
namespace {

constexpr Millis kSlice{50};
// Of a server that still has messages and room for one more in flight.
constexpr Millis kServerQuiet{200};
constexpr Millis kAnswerLimit{2'000};

// One that unsubscribes, and how many messages it had when it was looked at last.
struct Leaving {
  Trigger* trigger;
  std::uint64_t arrived;
};

}  // namespace

void drain_all(std::span<Trigger* const> triggers, inbox::Writer& writer, Monotonic deadline,
               const std::function<bool()>& give_up) {
  const auto over = [&] { return system_clock().now() >= deadline || give_up(); };
  const auto drain = [&](Trigger& trigger) {
    while (!trigger.drain(deadline, system_clock().now() + kSlice) && !over()) {
    }
  };
  std::vector<Leaving> leaving;
  for (Trigger* trigger : triggers) {
    drain(*trigger);
    if (trigger->leaving()) leaving.push_back({trigger, 0});
  }
  const Monotonic answered_by = system_clock().now() + kAnswerLimit;
  while (!leaving.empty() && !over()) {
    (void)writer.flush(std::min(deadline, system_clock().now() + kServerQuiet));
    for (Leaving& each : leaving) {
      each.trigger->flush_acknowledgements();
      each.arrived = each.trigger->arrived();
    }
    for (const Monotonic end = std::min(deadline, system_clock().now() + kServerQuiet);
         system_clock().now() < end && !over();) {
      std::this_thread::sleep_until(std::min(end, system_clock().now() + kSlice));
    }
    for (const Leaving& each : leaving) drain(*each.trigger);
    const bool late = system_clock().now() >= answered_by;
    std::erase_if(leaving, [late](const Leaving& each) {
      return (each.trigger->left() || late) && each.trigger->arrived() == each.arrived;
    });
  }
  for (Trigger* trigger : triggers) {
    if (trigger->leaving()) trigger->end_leaving();
  }
}

}  // namespace triggerd::trigger
