// Jittered exponential delays, for reconnects and for retries.
#pragma once

#include <cstdint>
#include <functional>

#include "base/clock.hpp"

namespace triggerd {

// A number in [0, 1). Seams take it so that a test can choose.
using Random = std::function<double()>;
// Seeded from the operating system's entropy, so a fleet that starts together does not step
// together.
Random system_random();

struct Backoff {
  Millis min{1000};
  Millis max{60000};
  double factor{2.0};

  // The delay after `failures` failures (1 or more): min * factor^(failures-1), at most max, of
  // which the upper half is random: between 50 % and 100 %.
  Millis delay(std::uint32_t failures, double random) const;
};

}  // namespace triggerd
