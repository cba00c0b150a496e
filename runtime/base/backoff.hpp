// Jittered exponential delays, for reconnects and for retries.
#pragma once

#include <algorithm>
#include <cmath>
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
  Millis delay(std::uint32_t failures, double random) const {
    const double exponent = failures > 0 ? static_cast<double>(failures - 1) : 0.0;
    const double limit = static_cast<double>(max.count());
    double full = static_cast<double>(min.count()) * std::pow(factor, exponent);
    if (!(full < limit)) full = limit;  // also where pow() overflowed
    return Millis(static_cast<Millis::rep>(full * (0.5 + 0.5 * std::clamp(random, 0.0, 1.0))));
  }
};

}  // namespace triggerd
