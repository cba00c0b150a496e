#include "trigger/draining.hpp"

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "inbox/writer.hpp"

namespace triggerd::trigger {
namespace {

constexpr Millis kSlice{50};
// For a server that still has messages, and room for one more in flight.
constexpr Millis kServerQuiet{200};
constexpr Millis kAnswerLimit{2'000};

// One that unsubscribes, and how many messages it had when it was looked at last.
struct Leaving {
  Draining* trigger;
  std::uint64_t arrived;
};

}  // namespace

void drain_all(std::span<Draining* const> all, const DrainingServices& services,
               Monotonic deadline) {
  const auto now = [&] { return services.clock.now(); };
  const auto over = [&] { return now() >= deadline || services.give_up(); };
  const auto drain = [&](Draining& trigger) {
    while (!trigger.drain(deadline, now() + kSlice) && !over()) {
    }
  };
  std::vector<Leaving> leaving;
  for (Draining* trigger : all) {
    drain(*trigger);
    if (trigger->leaving()) leaving.push_back({trigger, 0});
  }
  const Monotonic answered_by = now() + kAnswerLimit;
  while (!leaving.empty() && !over()) {
    services.flush_inbox(std::min(deadline, now() + kServerQuiet));
    for (Leaving& each : leaving) {
      each.trigger->flush_acknowledgements();
      each.arrived = each.trigger->arrived();
    }
    for (const Monotonic end = std::min(deadline, now() + kServerQuiet); now() < end && !over();) {
      services.sleep(std::min(end, now() + kSlice));
    }
    for (const Leaving& each : leaving) drain(*each.trigger);
    const bool late = now() >= answered_by;
    std::erase_if(leaving, [late](const Leaving& each) {
      return (each.trigger->left() || late) && each.trigger->arrived() == each.arrived;
    });
  }
  for (Draining* trigger : all) {
    if (trigger->leaving()) trigger->end_leaving();
  }
}

void drain_all(std::span<Draining* const> all, inbox::Writer& writer, Monotonic deadline,
               std::function<bool()> give_up, const Clock& clock) {
  drain_all(
      all,
      {.clock = clock,
       .sleep = [&clock](Monotonic until) { std::this_thread::sleep_for(until - clock.now()); },
       .flush_inbox = [&writer](Monotonic until) { (void)writer.flush(until); },
       .give_up = std::move(give_up)},
      deadline);
}

}  // namespace triggerd::trigger
