// Exponential delays with jitter, for reconnects and retries.
#pragma once

#include <cstdint>
#include <functional>

#include "base/clock.hpp"

namespace triggerd {

// Returns a number in [0, 1). Passed in so that a test can choose it.
using Random = std::function<double()>;
// Seeded from the operating system's entropy, so that runtimes that start together do not retry
// together.
Random system_random();

struct Backoff {
  Millis min{1000};
  Millis max{60000};
  double factor{2.0};

  // The delay after `failures` failures (1 or more): between 50 % and 100 %, depending on `random`,
  // of min * factor^(failures - 1), but at most of max.
  Millis delay(std::uint32_t failures, double random) const;
};

}  // namespace triggerd
