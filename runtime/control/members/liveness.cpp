#include "control/members/liveness.hpp"

#include <fmt/format.h>

#include <utility>

namespace triggerd::control {
namespace {

constexpr Millis kBeat{1'000};
// A thread that has not beaten for so long is hung.
constexpr Millis kHung{15'000};

}  // namespace

void Liveness::begin() {
  beat(supervisor_, supervisor_beat_);
  beat(timer_, timer_beat_);
}

void Liveness::beat(EventLoop& loop, Beat& last) {
  last = loop.clock().now().time_since_epoch().count();
  loop.after(kBeat, [&loop, &last] { beat(loop, last); });
}

bool Liveness::is_hung(const Beat& last) const {
  return timer_.clock().now() - Monotonic(Monotonic::duration(last.load())) > kHung;
}

std::vector<std::string> Liveness::reasons() const {
  std::vector<std::string> reasons;
  if (is_hung(supervisor_beat_)) {
    reasons.emplace_back("the supervisor thread hangs: no connection is served");
  }
  if (is_hung(timer_beat_)) {
    reasons.emplace_back("the timer thread hangs: retries and deadlines no longer run");
  }
  if (auto hung = hung_receiver()) reasons.push_back(*std::move(hung));
  return reasons;
}

// In a call of a service that is said to be brief: nobody else can do its work meanwhile.
std::optional<std::string> Liveness::hung_receiver() const {
  const Monotonic now = timer_.clock().now();
  const auto running = registry_.now();
  for (const TriggerPtr& trigger : running->triggers) {
    const auto since = trigger->keeps_receiver_since();
    if (!since || now - *since <= kHung) continue;
    return fmt::format(
        "the receive thread hangs in the service of trigger \"{}\": nothing is received",
        trigger->name());
  }
  return std::nullopt;
}

void Liveness::beat(Millis interval, std::function<void()> alive) {
  timer_.after(interval, [this, interval, alive = std::move(alive)] {
    supervisor_.post([this, interval, alive] {
      if (!hung_receiver()) alive();
      beat(interval, alive);
    });
  });
}

}  // namespace triggerd::control
