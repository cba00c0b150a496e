#include "plugin/life_call.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/mutex.hpp"
#include "plugin/thread.hpp"

namespace triggerd::plugin {
namespace {

// How soon a call that is waited for notices that the runtime stops.
constexpr Millis kSlice{50};
// A call gets so much of what is left at least, and so much where nothing is: most return at once.
constexpr Millis kEnough{500};
constexpr Millis kLeast{100};
// After it has returned: for what the system needs to end its thread, and thread_local destructors
// of the plugin.
constexpr Millis kEndGrace{1'000};

struct Call {
  std::function<void()> run;
  Mutex mutex;
  CondVar returned;
  bool done TRIGGERD_GUARDED_BY(mutex) = false;
};

bool wait_for(Call& call, const Patience* patience, Millis usual) {
  Monotonic limit = std::chrono::steady_clock::now() + usual;
  Monotonic end = Monotonic::max();
  const MutexLock lock(call.mutex);
  while (!call.done) {
    const Monotonic now = std::chrono::steady_clock::now();
    if (patience != nullptr && patience->end() != end) {
      end = patience->end();
      const Monotonic::duration left = end - now;
      const auto share = std::max<Monotonic::duration>(
          {left / 4, std::min<Monotonic::duration>(left, kEnough), kLeast});
      limit = std::min(limit, now + share);
    }
    if (now >= limit) return false;
    call.returned.wait_until(call.mutex, std::min(limit, now + kSlice));
  }
  return true;
}

}  // namespace

bool life_call(const std::string& thread, std::function<void()> call, const Patience* patience,
               Millis usual) {
  const auto shared = std::make_shared<Call>();  // with its thread, which may outlive this
  shared->run = std::move(call);
  auto started = Thread::start(thread, [shared] {
    shared->run();
    shared->run = {};
    const MutexLock lock(shared->mutex);
    shared->done = true;
    shared->returned.notify_all();
  });
  if (!started) {
    const UnblockedSignals unblocked;
    shared->run();
    return true;
  }
  return wait_for(*shared, patience, usual) &&
         started->join(std::chrono::steady_clock::now() + kEndGrace);
}

}  // namespace triggerd::plugin
