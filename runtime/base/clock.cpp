#include "base/clock.hpp"

namespace triggerd {
namespace {

class SystemClock final : public Clock {
 public:
  Monotonic now() const override { return std::chrono::steady_clock::now(); }
  Wall wall() const override {
    return std::chrono::floor<Wall::duration>(std::chrono::system_clock::now());
  }
};

}  // namespace

const Clock& system_clock() {
  // Never destroyed: threads that nobody waits for may read it while the process ends.
  static const auto* const clock = new SystemClock;
  return *clock;
}

Wall wall_of(std::tm utc) {
  return Wall(std::chrono::seconds(::timegm(&utc)));
}

std::tm utc_of(Wall wall) {
  const std::time_t seconds =
      std::chrono::floor<std::chrono::seconds>(wall.time_since_epoch()).count();
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return utc;
}

}  // namespace triggerd
