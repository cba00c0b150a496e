#include "base/backoff.hpp"

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

Random system_random() {
  auto source = std::make_shared<Source>();
  return [source] {
    MutexLock lock(source->mutex);
    return std::uniform_real_distribution<double>(0.0, 1.0)(source->engine);
  };
}

}  // namespace triggerd
