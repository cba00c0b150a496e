#include "plugin/instance/brief_worker.hpp"

#include <sys/resource.h>

#include <utility>

#include "plugin/process/sudden_end.hpp"

namespace triggerd::plugin {
namespace {

// A call that takes less needs no rest: waking a worker costs the reading thread as much.
constexpr std::chrono::microseconds kWorthARest{100};
constexpr int kRest = 9;  // times as long as the call

// What a thread did with its time.
struct ThreadUse {
  Monotonic::duration processor{};
  long waits = 0;  // for anything but a processor
};

Monotonic::duration duration_of(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

ThreadUse use_of_this_thread() {
  rusage use{};
  ::getrusage(RUSAGE_THREAD, &use);
  return {duration_of(use.ru_utime) + duration_of(use.ru_stime), use.ru_nvcsw};
}

}  // namespace

BriefWorker::BriefWorker(WorkerPool::Service service, WorkSource& source, std::stop_token stop,
                         const Clock& clock)
    : service_(std::move(service)),
      source_(source),
      stop_(std::move(stop)),
      clock_(clock),
      phase_(Phase::away, clock) {}

bool BriefWorker::willing() const {
  if (!*service_.brief || stop_.stop_requested()) return false;
  const Monotonic::rep until = rests_until_.load(std::memory_order_relaxed);
  return until == 0 || clock_.now().time_since_epoch().count() >= until;
}

void BriefWorker::run(bool in_time) {
  if (!phase_.enter(Phase::in_source)) return;
  std::optional<Monotonic::duration> too_long;
  if (in_time && willing() && !call_while_quick(too_long)) return;
  source_.inline_over(too_long);
  phase_.enter(Phase::away);
}

bool BriefWorker::call_while_quick(std::optional<Monotonic::duration>& too_long) {
  const trigger_message* message = source_.take_inline();
  if (message == nullptr) return true;
  // As a worker's thread has one from its beginning. The rest of what that has would cost as much
  // as everything else here: a name by which to know threads that are started in the call, and no
  // signal blocked for these.
  static thread_local const SignalStack signal_stack;
  const ThreadUse before = use_of_this_thread();
  const Monotonic began = clock_.now();
  for (Monotonic call_began = began; message != nullptr;) {
    if (!phase_.enter(Phase::in_service)) return false;
    Answer answer = call_handle(service_, *message, *message);
    const Monotonic end = clock_.now();
    if (!phase_.enter(Phase::in_source)) return false;
    const Monotonic::duration took = end - call_began;
    if (took > kBriefCall) {
      const ThreadUse use = use_of_this_thread();
      if (use.processor - before.processor > kBriefCall || use.waits > before.waits) {
        too_long = took;
      }
    }
    rest_after(took, end);
    source_.answered(*message, std::move(answer));
    const bool goes_on = willing() && end - began < kBriefCall;
    message = goes_on ? source_.take_inline() : nullptr;
    if (message != nullptr) call_began = clock_.now();
  }
  return true;
}

void BriefWorker::rest_after(Monotonic::duration took, Monotonic end) {
  const Monotonic::rep until =
      took < kWorthARest ? 0 : (end + kRest * took).time_since_epoch().count();
  if (until != 0 || rests_until_.load(std::memory_order_relaxed) != 0) rests_until_ = until;
}

}  // namespace triggerd::plugin
