#include "plugin/isolation/worker_metrics.hpp"

#include <sys/eventfd.h>
#include <trigger/plugin.h>

#include <algorithm>
#include <utility>

namespace triggerd::plugin::isolation {
namespace {

constexpr Millis kAnswerWait{200};

void add_to(std::vector<Metric>& sums, const Metric& metric) {
  const auto known = std::find_if(sums.begin(), sums.end(),
                                  [&](const Metric& one) { return one.name == metric.name; });
  if (known == sums.end()) {
    sums.push_back(metric);
  } else {
    known->value += metric.value;
  }
}

}  // namespace

std::vector<Metric> WorkerMetrics::ask() {
  const MutexLock lock(mutex_);
  if (has_worker_) {
    const std::uint64_t before = answers_;
    requested_ = true;
    if (doorbell_ >= 0) static_cast<void>(::eventfd_write(doorbell_, 1));
    const Monotonic deadline = clock_.now() + kAnswerWait;
    while (answers_ == before && has_worker_ && clock_.now() < deadline) {
      changed_.wait_until(mutex_, deadline);
    }
  }
  std::vector<Metric> all = previous_;
  for (const Metric& metric : current_) add_to(all, metric);
  return all;
}

bool WorkerMetrics::take_request() {
  const MutexLock lock(mutex_);
  return has_worker_ && std::exchange(requested_, false);
}

void WorkerMetrics::keep(std::vector<Metric> metrics) {
  const MutexLock lock(mutex_);
  current_ = std::move(metrics);
  ++answers_;
  changed_.notify_all();
}

void WorkerMetrics::worker_started() {
  const MutexLock lock(mutex_);
  has_worker_ = true;
}

void WorkerMetrics::worker_ended() {
  const MutexLock lock(mutex_);
  for (const Metric& metric : current_) {
    if (metric.kind == TRIGGER_METRIC_COUNTER) add_to(previous_, metric);
  }
  current_.clear();
  has_worker_ = false;
  changed_.notify_all();
}

}  // namespace triggerd::plugin::isolation
