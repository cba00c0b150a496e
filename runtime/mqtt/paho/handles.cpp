#include "mqtt/paho/handles.hpp"

#include <vector>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "mqtt/paho/callback_context.hpp"
#include "mqtt/paho/pending_call.hpp"

namespace triggerd::mqtt::paho_handles {
namespace {

// So that Paho's threads get to look at what they have read of the connection.
constexpr Millis kRest{500};
// A connect without a time limit is given up with its handle.
constexpr Millis kLongestRest{60'000};

struct Resting {
  MQTTAsync handle;
  std::shared_ptr<CallbackContext> callbacks;
  Monotonic since;
};

struct All {
  Mutex mutex;
  std::vector<Resting> resting TRIGGERD_GUARDED_BY(mutex);
};

// Never destroyed: Paho's threads may outlive main().
All& all() {
  static auto* const made = new All;
  return *made;
}

// A connection that is still being set up may have left its link there.
void drop_link(CallbackContext& callbacks) {
  std::shared_ptr<wire::Link> link;
  MutexLock lock(callbacks.link_mutex);
  link.swap(callbacks.link);
}

}  // namespace

void keep_one() {
  MQTTAsync handle = nullptr;
  (void)MQTTAsync_create(&handle, "tcp://localhost:1883", "triggerd", MQTTCLIENT_PERSISTENCE_NONE,
                         nullptr);
}

void give_up(MQTTAsync handle, std::shared_ptr<CallbackContext> callbacks) {
  const Monotonic now = callbacks->clock.now();
  All& of = all();
  MutexLock lock(of.mutex);
  of.resting.push_back({handle, std::move(callbacks), now});
}

void tidy() {
  All& of = all();
  std::vector<Resting> rested;
  {
    MutexLock lock(of.mutex);
    std::erase_if(of.resting, [&](Resting& one) {
      const auto rest = one.callbacks->clock.now() - one.since;
      const bool idle = rest >= kRest && one.callbacks->connects == 0;
      if (!idle && rest < kLongestRest) return false;
      rested.push_back(std::move(one));
      return true;
    });
  }
  for (Resting& one : rested) {
    if (MQTTAsync_isConnected(one.handle) != 0) {
      // It came up after its client had gone.
      MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
      MQTTAsync_disconnect(one.handle, &options);
      give_up(one.handle, std::move(one.callbacks));
      continue;
    }
    drop_link(*one.callbacks);
    MQTTAsync_destroy(&one.handle);
    free_forgotten_calls(*one.callbacks);
  }
}

std::size_t alive() {
  return CallbackContext::alive;
}

std::size_t resting() {
  All& of = all();
  MutexLock lock(of.mutex);
  return of.resting.size();
}

}  // namespace triggerd::mqtt::paho_handles
