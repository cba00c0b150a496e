// An instance of a service, as whoever starts and stops it sees it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "plugin/metrics.hpp"
#include "plugin/work.hpp"

namespace triggerd::plugin {

class Generation;

// The state that an instance passes to its successor.
struct SavedState {
  std::uint32_t version = 0;  // the state_version of the service that wrote it
  std::string bytes;
};

// One instance of one service, made for one trigger, in this process (local_instance.hpp) or in a
// worker process of its own (isolation/). Its users need not know which.
//
// State: created -> started <-> stopped -> (destroyed with the object); abandoned from any of them.
// Calls in the wrong state are programming errors and asserted. On an abandoned instance they do
// nothing, except that start() and run_workers() fail. [control]
class Instance {
 public:
  virtual ~Instance() = default;
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  // Calls the service's start. After an error the instance is as it was before, or abandoned if the
  // call has not returned.
  [[nodiscard]] virtual Result<> start() = 0;
  // Starts `count` workers (1 or more) that take messages from `source`. The instance is started.
  // After an error (the system has no more threads) no worker runs, and none has taken a message.
  [[nodiscard]] virtual Result<> run_workers(WorkSource& source, unsigned count) = 0;
  // Asks the workers to end without waiting for them, which join_workers() does: so the workers of
  // several instances end in parallel. May do nothing.
  virtual void end_workers() {}
  // Asks the workers to end and waits for them until `deadline`. Afterwards none touches the
  // source. False: some call of the service has not returned. The instance must then be abandoned,
  // and the message of that call, for which answered() is never called, must stay in memory for
  // ever.
  [[nodiscard]] virtual bool join_workers(Monotonic deadline) = 0;
  // Cancels publishes that are under way (their done is called with TRIGGER_E_CANCELLED), then
  // calls the service's stop. No worker runs. If a done callback does not return within
  // Source::done_timeout, or stop within Source::call_timeout, the instance is abandoned instead.
  virtual void stop() = 0;
  // Leaves the service alone for ever: no done, stop or destroy is called, its library stays
  // loaded, and its calls of host functions are refused. When this returns, no call of the service
  // is inside the InstanceHost, and none will be.
  virtual void abandon() = 0;
  virtual bool abandoned() const = 0;
  // Calls the service's destroy, which the destructor does otherwise, so that the caller can see
  // whether it has returned: if not, the instance is abandoned. The instance is not started.
  // Afterwards only abandoned(), generation() and service_name() may be called.
  virtual void destroy() {}

  // The state that the stopped service saves for its successor; nullopt: it saves none.
  [[nodiscard]] virtual Result<std::optional<SavedState>> save() = 0;
  // Gives the service, which was not started yet, the state that its predecessor saved. Does
  // nothing for a service that restores no state.
  [[nodiscard]] virtual Result<> restore(const SavedState& state) = 0;

  virtual const Generation& generation() const = 0;
  virtual std::string_view service_name() const = 0;
  // Whether the service has a probe. [any]
  virtual bool can_be_probed() const = 0;
  // The most messages in one call of the service: 1 without handle_batch. [any]
  virtual std::size_t max_batch() const = 0;
  // The service's metrics. [any]
  virtual std::vector<Metric> metrics() const = 0;

 protected:
  Instance() = default;
};

}  // namespace triggerd::plugin
