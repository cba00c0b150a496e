#include "mqtt/paho/paho_handles.hpp"

#include <atomic>
#include <chrono>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "mqtt/paho/paho_hook.hpp"

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

namespace {

struct Calls {
  Mutex mutex;
  std::unordered_map<std::uintptr_t, std::unique_ptr<Call>> under_way TRIGGERD_GUARDED_BY(mutex);
};

// Never destroyed: Paho's threads may outlive main().
Calls& calls() {
  static auto* const made = new Calls;
  return *made;
}

std::uintptr_t next_number() {
  static std::atomic<std::uintptr_t> last{0};
  return ++last;
}

}  // namespace

Call::Call(Hook& of, ConnectAttempt at, Kind is, std::size_t filter_count, PublishDone told)
    : hook(of),
      attempt(at),
      kind(is),
      filters(filter_count),
      done(std::move(told)),
      number(next_number()) {
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

void* begin_call(std::unique_ptr<Call> call) {
  const std::uintptr_t number = call->number;
  MutexLock lock(calls().mutex);
  calls().under_way.emplace(number, std::move(call));
  return reinterpret_cast<void*>(number);  // NOLINT(performance-no-int-to-ptr): never followed
}

std::unique_ptr<Call> take_call(void* context) {
  MutexLock lock(calls().mutex);
  const auto found = calls().under_way.find(reinterpret_cast<std::uintptr_t>(context));
  if (found == calls().under_way.end()) return nullptr;
  std::unique_ptr<Call> call = std::move(found->second);
  calls().under_way.erase(found);
  return call;
}

void free_calls(Hook& hook) {
  std::vector<std::uintptr_t> left;
  {
    MutexLock lock(hook.calls_mutex);
    for (const Call* call = hook.last_call; call != nullptr; call = call->before_) {
      left.push_back(call->number);
    }
  }
  for (const std::uintptr_t number : left) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): never followed
    take_call(reinterpret_cast<void*>(number));
  }
}

}  // namespace triggerd::mqtt
