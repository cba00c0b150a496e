#include "control/plugins/build_swap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <memory>

#include "base/units.hpp"

namespace triggerd::control {
namespace {

// A wait for calls looks this often whether the runtime stops.
constexpr Millis kSlice{50};
// For a worker between two messages, which only a probe keeps.
constexpr Millis kJoin{1'000};

bool quiesce(const PluginUsers::List& users, Monotonic deadline, const Clock& clock,
             const std::atomic<bool>& cancelled) {
  // All at once, and then each: they end their calls side by side.
  for (const auto& user : users) (void)user->quiesce(clock.now());
  return std::all_of(users.begin(), users.end(), [&](const auto& user) {
    while (!user->quiesce(std::min(deadline, clock.now() + kSlice))) {
      if (cancelled || clock.now() >= deadline) return false;
    }
    return true;
  });
}

Error not_quiet(bool cancelled, Millis drain_timeout) {
  if (cancelled) return {"the runtime is stopping"};
  return {fmt::format("the service did not finish its calls and pending messages within {}",
                      format_duration(drain_timeout))};
}

// After an error all of them are as before.
Result<> hand_over(const PluginUsers::List& users, bool with_state, const Clock& clock) {
  for (std::size_t i = 0; i < users.size(); ++i) {
    auto done = users[i]->hand_over(clock.now() + kJoin, with_state);
    if (done) continue;
    while (i-- > 0) users[i]->take_back(clock.now() + kJoin);
    return done;
  }
  return {};
}

}  // namespace

Standings standings_of(const PluginUsers::List& users) {
  Standings standings;
  for (const auto& user : users) standings[user->name()] = user->verdicts();
  return standings;
}

tl::expected<Swapped, ReloadFailure> swap_builds(const PluginUsers::List& users,
                                                 const SwapOptions& options, const Clock& clock,
                                                 const std::atomic<bool>& cancelled) {
  const Monotonic began = clock.now();
  bool quiet = !cancelled && quiesce(users, began + options.drain_timeout, clock, cancelled);
  if (!quiet && options.force && !cancelled) {
    for (const auto& user : users) user->revoke_pending();
    quiet = quiesce(users, clock.now(), clock, cancelled);
  }
  tl::expected<Swapped, ReloadFailure> swapped;
  if (!quiet) {
    swapped =
        tl::make_unexpected(ReloadFailure{"gate", not_quiet(cancelled, options.drain_timeout)});
  } else if (auto done = hand_over(users, options.with_state, clock); !done) {
    swapped = tl::make_unexpected(ReloadFailure{"hand over", done.error()});
  } else {
    swapped->standings = standings_of(users);
  }
  for (const auto& user : users) user->unquiesce();
  if (swapped) {
    swapped->pause = std::chrono::duration_cast<std::chrono::microseconds>(clock.now() - began);
  }
  return swapped;
}

}  // namespace triggerd::control
