// How one connection has been doing, for those who ask from other threads.
#pragma once

#include <string>
#include <utility>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "management/status.hpp"
#include "mqtt/session/connection.hpp"

namespace triggerd::trigger {

// Thread-safe.
class ConnectionWatch {
 public:
  // `clock` outlives it.
  explicit ConnectionWatch(const Clock& clock) : clock_(clock) {}

  // [supervisor]
  void note(const mqtt::ConnectionStatus& status) {
    MutexLock lock(mutex_);
    using State = mqtt::ConnectionStatus::State;
    // Every attempt begins in another state; what is of interest is how long there was none.
    const auto tries = [](State state) { return state != State::up && state != State::off; };
    const bool goes_on =
        status.state == status_.state || (tries(status.state) && tries(status_.state));
    if (!goes_on || since_ == Wall{}) since_ = clock_.wall();
    if (status.state == State::up && status_.state != State::up) ++ups_;
    status_ = status;
  }
  management::ConnectionView view(const mqtt::ConnectionOptions& options) const {
    MutexLock lock(mutex_);
    return {.client_id = options.client_id,
            .trigger = options.trigger,
            .state = std::string(mqtt::to_string(status_.state)),
            .up = status_.running(),
            .reason = status_.reason,
            .since = since_,
            .server = status_.server,
            .reconnects = ups_ > 0 ? ups_ - 1 : 0,
            .sessions_lost = status_.sessions_lost};
  }
  std::vector<mqtt::Grant> grants() const {
    MutexLock lock(mutex_);
    return status_.grants;
  }

 private:
  const Clock& clock_;
  mutable Mutex mutex_;
  mqtt::ConnectionStatus status_ TRIGGERD_GUARDED_BY(mutex_);
  Wall since_ TRIGGERD_GUARDED_BY(mutex_){};
  std::uint64_t ups_ TRIGGERD_GUARDED_BY(mutex_) = 0;
};

}  // namespace triggerd::trigger
