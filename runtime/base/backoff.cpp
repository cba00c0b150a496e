#include "base/backoff.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>

#include "base/mutex.hpp"

namespace triggerd {
namespace {

struct Source {
  Mutex mutex;
  std::mt19937_64 engine TRIGGERD_GUARDED_BY(mutex){std::random_device{}()};
};

}  // namespace

Millis Backoff::delay(std::uint32_t failures, double random) const {
  const double exponent = failures > 0 ? static_cast<double>(failures - 1) : 0.0;
  const double limit = static_cast<double>(max.count());
  double full = static_cast<double>(min.count()) * std::pow(factor, exponent);
  if (!(full < limit)) full = limit;  // also where pow() overflowed
  return Millis(static_cast<Millis::rep>(full * (0.5 + 0.5 * std::clamp(random, 0.0, 1.0))));
}

Random system_random() {
  auto source = std::make_shared<Source>();
  return [source] {
    MutexLock lock(source->mutex);
    return std::uniform_real_distribution<double>(0.0, 1.0)(source->engine);
  };
}

}  // namespace triggerd
