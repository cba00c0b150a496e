// What serves a trigger: an instance of its service and, for a trigger that has one, its monitor;
// and how those of another build of the plugin take their place.
//
//   serve()        made, not started
//   start()        runs; after an error, whoever got start_later() calls start() again
//   prepare()      another build's, beside it: the successor
//   hand_over()    the successor runs, and what ran before is its predecessor, until
//   forget_predecessor(), or take_back(), after which the predecessor serves again
//
// While one hands over to the other the dispatcher is quiesced: no message is in the service's
// hands.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/backoff.hpp"
#include "base/log.hpp"
#include "base/mutex.hpp"
#include "config/config_fwd.hpp"
#include "dispatch/dispatcher.hpp"
#include "plugin/plugin.hpp"
#include "trigger/monitor.hpp"

namespace triggerd::trigger {

// [control], except what says [any], which is guarded by the serving lock, a leaf.
class ServiceSlot {
 public:
  struct Serving {
    std::unique_ptr<plugin::Instance> instance{};
    std::shared_ptr<Monitor> monitor{};  // null: the service's own probe is asked
  };
  struct Events {
    std::function<bool()> stopping;                 // whether the runtime is stopping
    std::function<void()> serves_changed;           // serves() may have
    std::function<void(Millis delay)> start_later;  // start() is to be called after that
    // No probe is under way any more that would say whether a suspended trigger may go on.
    std::function<void()> try_again_later;
  };

  // All outlive it. Before it is destroyed no worker is left: see finish().
  ServiceSlot(const config::Trigger& trigger, dispatch::Dispatcher& dispatcher, const Clock& clock,
              Random random, Events events, Log& log);

  void serve(Serving serving);
  plugin::Instance& instance() const { return *instance_; }
  bool has_instance() const { return instance_ != nullptr; }
  bool started() const { return started_; }
  // After an error start_later() was called, unless another try could not help.
  Result<> start();

  // ---- Another build ----

  void prepare(Serving successor) { successor_ = std::move(successor); }
  void drop_successor() { successor_ = {}; }
  // Stops what serves, gives its state to the successor if `with_state`, starts that. After an
  // error it is as it was before.
  Result<> hand_over(Monotonic deadline, bool with_state);
  // The predecessor serves again, and what served is the successor.
  void take_back(Monotonic deadline);
  void forget_predecessor();

  // ---- The end: each step for all triggers before the next ----

  void end_workers();
  void join_workers(Monotonic deadline);
  // Stops the service. False: a call of it has not returned, and it is abandoned.
  [[nodiscard]] bool stop(Monotonic deadline);
  // Destroys it here rather than in the destructor, so that a call that hangs is known before the
  // end. False: some call has not returned, now or before.
  [[nodiscard]] bool destroy();

  // ---- [any] ----

  bool serves() const { return serves_; }
  bool can_be_probed() const { return can_be_probed_; }
  std::string service_name() const;
  std::shared_ptr<Monitor> monitor() const;
  // Why its service did not start; empty: it did, or was not started yet.
  std::string start_failure() const;
  std::vector<plugin::Metric> metrics() const;

 private:
  Result<> start_serving(plugin::Instance& instance, Monitor* monitor);
  Result<std::optional<plugin::SavedState>> stop_serving(Monotonic deadline);
  void serve_again(Monotonic deadline);
  void note_start(const Result<>& started);
  void report_failed_start(const std::string& why, const std::string& next);

  const config::Trigger& trigger_;
  dispatch::Dispatcher& dispatcher_;
  const Clock& clock_;
  const Random random_;
  const Events events_;
  Log& log_;

  std::unique_ptr<plugin::Instance> instance_;
  Serving successor_;
  Serving predecessor_;
  bool started_ = false;
  bool was_started_ = false;         // before hand_over()
  bool joined_ = true;               // the workers have ended
  unsigned start_failures_ = 0;      // in a row
  std::atomic<bool> serves_{false};  // started_, for others
  std::atomic<bool> can_be_probed_{false};

  mutable Mutex mutex_;  // the serving lock
  std::string service_name_ TRIGGERD_GUARDED_BY(mutex_);
  // The instance that is asked for metrics; null: none any more.
  const plugin::Instance* counting_ TRIGGERD_GUARDED_BY(mutex_) = nullptr;
  std::shared_ptr<Monitor> monitor_ TRIGGERD_GUARDED_BY(mutex_);
  std::string start_failure_ TRIGGERD_GUARDED_BY(mutex_);
  Monotonic start_failure_told_ TRIGGERD_GUARDED_BY(mutex_){};
};

}  // namespace triggerd::trigger
