// What a service counts, over all the workers it has had.
//
// A lock of its own. A worker is asked on the link thread; whoever wants the metrics waits for its
// answer on any other.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "plugin/metrics.hpp"

namespace triggerd::plugin::isolation {

class WorkerMetrics {
 public:
  // `doorbell` is an eventfd that the link thread waits for; -1: nothing is woken.
  WorkerMetrics(int doorbell, const Clock& clock) : doorbell_(doorbell), clock_(clock) {}
  WorkerMetrics(const WorkerMetrics&) = delete;
  WorkerMetrics& operator=(const WorkerMetrics&) = delete;

  // Asks the worker, where there is one, waits a moment for its answer, and returns the sums: what
  // is known already where it does not answer in time. [any but link]
  std::vector<Metric> ask();

  // Whether somebody has asked since this was last called. [link]
  bool take_request();
  // The worker's answer. [link]
  void keep(std::vector<Metric> metrics);
  void worker_started();
  // Its counters are added to those of its predecessors, whose sum its successor continues. Its
  // gauges were its own and are forgotten.
  void worker_ended();

 private:
  const int doorbell_;
  const Clock& clock_;
  Mutex mutex_;
  CondVar changed_;
  bool has_worker_ TRIGGERD_GUARDED_BY(mutex_) = false;
  bool requested_ TRIGGERD_GUARDED_BY(mutex_) = false;
  std::uint64_t answers_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  std::vector<Metric> current_ TRIGGERD_GUARDED_BY(mutex_);   // of the worker that there is
  std::vector<Metric> previous_ TRIGGERD_GUARDED_BY(mutex_);  // counters of those before it
};

}  // namespace triggerd::plugin::isolation
