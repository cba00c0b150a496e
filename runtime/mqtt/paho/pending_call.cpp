#include "mqtt/paho/pending_call.hpp"

#include <atomic>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.hpp"

namespace triggerd::mqtt {
namespace {

struct Calls {
  Mutex mutex;
  std::unordered_map<std::uintptr_t, std::unique_ptr<PendingCall>> under_way
      TRIGGERD_GUARDED_BY(mutex);
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

PendingCall::PendingCall(CallbackContext& of, ConnectAttempt at, Kind is, std::size_t filter_count,
                         PublishDone told)
    : callbacks(of),
      attempt(at),
      kind(is),
      filters(filter_count),
      done(std::move(told)),
      number(next_number()) {
  if (kind == Kind::connect) ++callbacks.connects;
  MutexLock lock(callbacks.calls_mutex);
  before_ = callbacks.last_call;
  if (before_ != nullptr) before_->after_ = this;
  callbacks.last_call = this;
}

PendingCall::~PendingCall() {
  {
    MutexLock lock(callbacks.calls_mutex);
    if (before_ != nullptr) before_->after_ = after_;
    if (after_ != nullptr) after_->before_ = before_;
    if (callbacks.last_call == this) callbacks.last_call = before_;
  }
  if (kind == Kind::connect) --callbacks.connects;
}

void* begin_call(std::unique_ptr<PendingCall> call) {
  const std::uintptr_t number = call->number;
  MutexLock lock(calls().mutex);
  calls().under_way.emplace(number, std::move(call));
  return reinterpret_cast<void*>(number);  // NOLINT(performance-no-int-to-ptr): never followed
}

std::unique_ptr<PendingCall> take_call(void* context) {
  MutexLock lock(calls().mutex);
  const auto found = calls().under_way.find(reinterpret_cast<std::uintptr_t>(context));
  if (found == calls().under_way.end()) return nullptr;
  std::unique_ptr<PendingCall> call = std::move(found->second);
  calls().under_way.erase(found);
  return call;
}

void free_forgotten_calls(CallbackContext& callbacks) {
  std::vector<std::uintptr_t> left;
  {
    MutexLock lock(callbacks.calls_mutex);
    for (const PendingCall* call = callbacks.last_call; call != nullptr; call = call->before_) {
      left.push_back(call->number);
    }
  }
  for (const std::uintptr_t number : left) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): never followed
    take_call(reinterpret_cast<void*>(number));
  }
}

}  // namespace triggerd::mqtt
