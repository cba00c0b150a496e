#include "mqtt/paho_handles.hpp"

#include <chrono>
#include <vector>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "mqtt/paho_hook.hpp"

namespace triggerd::mqtt::paho_handles {
namespace {

// For what Paho's threads have read of the connection and not looked at yet.
constexpr Millis kRest{500};
// A connect without a limit is given up with its handle.
constexpr Millis kLongestRest{60'000};

struct Resting {
  MQTTAsync handle;
  std::shared_ptr<Hook> hook;
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

// What a connection that is still being set up has told the hook of it.
void let_go_of_link(Hook& hook) {
  std::shared_ptr<wire::Link> link;
  MutexLock lock(hook.link_mutex);
  link.swap(hook.link);
}

// Those that Paho has forgotten.
void free_calls(Hook& hook) {
  for (;;) {
    Call* left = nullptr;
    {
      MutexLock lock(hook.calls_mutex);
      left = hook.last_call;
    }
    if (left == nullptr) return;
    delete left;
  }
}

}  // namespace

void keep_one() {
  MQTTAsync handle = nullptr;
  (void)MQTTAsync_create(&handle, "tcp://localhost:1883", "triggerd", MQTTCLIENT_PERSISTENCE_NONE,
                         nullptr);
}

void give_up(MQTTAsync handle, std::shared_ptr<Hook> hook) {
  All& of = all();
  MutexLock lock(of.mutex);
  of.resting.push_back({handle, std::move(hook), std::chrono::steady_clock::now()});
}

void tidy() {
  All& of = all();
  std::vector<Resting> rested;
  {
    MutexLock lock(of.mutex);
    const Monotonic now = std::chrono::steady_clock::now();
    std::erase_if(of.resting, [&](Resting& one) {
      const auto rest = now - one.since;
      const bool idle = rest >= kRest && one.hook->connects == 0;
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
      give_up(one.handle, std::move(one.hook));
      continue;
    }
    let_go_of_link(*one.hook);
    MQTTAsync_destroy(&one.handle);
    free_calls(*one.hook);
  }
}

std::size_t alive() {
  return Hook::alive;
}

std::size_t resting() {
  All& of = all();
  MutexLock lock(of.mutex);
  return of.resting.size();
}

}  // namespace triggerd::mqtt::paho_handles

namespace triggerd::mqtt {

Call::Call(Hook& of, Attempt number, Kind is, std::size_t filter_count, PublishDone told)
    : hook(of), attempt(number), kind(is), filters(filter_count), done(std::move(told)) {
  if (kind == Kind::connect) ++hook.connects;
  MutexLock lock(hook.calls_mutex);
  before_ = hook.last_call;
  if (before_ != nullptr) before_->after_ = this;
  hook.last_call = this;
}

Call::~Call() {
  {
    MutexLock lock(hook.calls_mutex);
    if (before_ != nullptr) before_->after_ = after_;
    if (after_ != nullptr) after_->before_ = before_;
    if (hook.last_call == this) hook.last_call = before_;
  }
  if (kind == Kind::connect) --hook.connects;
}

}  // namespace triggerd::mqtt
