#include "plugin/instance/worker_pool.hpp"

#include <algorithm>
#include <utility>

#include "plugin/host/guarded_call.hpp"
#include "plugin/host/trace_context.hpp"
#include "plugin/instance/brief_worker.hpp"
#include "plugin/instance/work_phase.hpp"

namespace triggerd::plugin {

const trigger_message WorkSource::kProbe{};

namespace {

Result<> call_probe(const WorkerPool::Service& service) {
  if (service.probe == nullptr) return {};
  const CurrentCall call(service.site.get(), "probe");
  return call_for_result(
      "probe", [&](trigger_result* result) { return service.probe(service.instance, result); });
}

// The answer to a message whose call has thrown.
Answer thrown_answer(const std::string& thrown) {
  std::string reason = "the service threw an exception across the C ABI: " + thrown;
  reason.resize(std::min(reason.size(), sizeof(trigger_result::reason) - 1));
  return {TRIGGER_RETRY, 0, std::move(reason)};
}

}  // namespace

class WorkerPool::Worker {
 public:
  Worker(Service service, WorkSource& source, std::stop_token stop, const Clock& clock)
      : service_(std::move(service)),
        source_(source),
        stop_(std::move(stop)),
        phase_(Phase::waiting, clock) {}

  void run() {
    if (!enter(Phase::in_source)) return;
    while (const trigger_message* const message = take()) {
      if (!serve(*message)) return;
    }
    enter(Phase::gone);
  }

  void release() { phase_.release(); }
  bool come_back(Monotonic deadline) { return phase_.come_back(deadline); }

 private:
  using Phase = WorkPhase::Phase;

  // The next message. Gives the last one's answer at the same time, which costs the source one lock
  // instead of two.
  const trigger_message* take() {
    if (answered_ == nullptr) return source_.take(stop_);
    return source_.exchange(*std::exchange(answered_, nullptr), std::move(answer_), stop_);
  }

  // False, as for all of these: it was cut off in the service.
  bool serve(const trigger_message& message) {
    if (&message == &WorkSource::kProbe) return probe();
    if (service_.handle_batch == nullptr) return handle(message);
    batch_.assign(1, &message);
    source_.take_more(batch_);
    return batch_.size() == 1 ? handle(message) : handle_batch();
  }
  bool probe() {
    if (!enter(Phase::in_service)) return false;
    const Result<> outcome = call_probe(service_);
    if (!enter(Phase::in_source)) return false;
    source_.probed(outcome);
    return true;
  }
  bool handle(const trigger_message& message) {
    if (!enter(Phase::in_service)) return false;
    answer_ = call_handle(service_, message, source_.as_received(message));
    answered_ = &message;
    return enter(Phase::in_source);
  }
  bool handle_batch() {
    if (!enter(Phase::in_service)) return false;
    received_.clear();
    for (const trigger_message* const message : batch_) {
      received_.push_back(&source_.as_received(*message));
    }
    std::vector<Answer> answers = call_handle_batch(service_, batch_, received_);
    if (!enter(Phase::in_source)) return false;
    source_.batch_answered(batch_, std::move(answers));
    return true;
  }
  bool enter(Phase phase) { return phase_.enter(phase); }

  const Service service_;
  WorkSource& source_;
  const std::stop_token stop_;
  const trigger_message* answered_ = nullptr;  // its answer is not given yet
  Answer answer_;
  std::vector<const trigger_message*> batch_;     // kept for its memory
  std::vector<const trigger_message*> received_;  // the same
  WorkPhase phase_;
};

Result<std::unique_ptr<WorkerPool>> WorkerPool::start(const Service& service, WorkSource& source,
                                                      unsigned count,
                                                      const std::string& thread_name,
                                                      const Clock& clock) {
  std::unique_ptr<WorkerPool> pool(new WorkerPool(source, clock));
  Result<> failure;
  for (unsigned i = 0; i < count && failure; ++i) {
    auto worker = std::make_shared<Worker>(service, source, pool->stop_.get_token(), clock);
    auto thread = Thread::start(thread_name, [worker] { worker->run(); });
    if (thread) {
      pool->running_.push_back({std::move(worker), std::move(*thread)});
    } else {
      failure = tl::make_unexpected(thread.error());
    }
  }
  // Where one is missing, the others find the stop before a message.
  if (!failure) pool->stop_.request_stop();
  for (const Running& running : pool->running_) running.worker->release();
  if (failure) {
    if (service.brief && *service.brief) {
      pool->inline_ =
          std::make_shared<BriefWorker>(service, source, pool->stop_.get_token(), clock);
      source.set_inline_worker(pool->inline_);
    }
    return pool;
  }
  static_cast<void>(pool->join(clock.now()));
  return tl::make_unexpected(failure.error());
}

WorkerPool::~WorkerPool() {
  if (!running_.empty()) static_cast<void>(join(clock_.now()));
}

bool WorkerPool::join(Monotonic deadline) {
  stop_.request_stop();
  bool all = true;
  if (const auto brief = std::exchange(inline_, nullptr)) {
    source_.set_inline_worker(nullptr);
    all = brief->come_back(deadline);
  }
  for (Running& running : running_) {
    const bool back = running.worker->come_back(deadline) && running.thread.join(Thread::kEndGrace);
    if (!back) running.thread.give_up();
    all = back && all;
  }
  running_.clear();
  return all;
}

Answer call_handle(const WorkerPool::Service& service, const trigger_message& message,
                   const trigger_message& received) {
  trigger_result result = empty_result();
  std::int32_t code = TRIGGER_RETRY;
  const CurrentMessage current(message);
  const trigger_message* const one = &received;
  const CurrentCall call(service.site.get(), "handle", {&one, 1});
  const auto thrown = guarded([&] { code = service.handle(service.instance, &message, &result); });
  if (!thrown) return {code, result.retry_after_ms, reason_of(result)};
  return thrown_answer(*thrown);
}

std::vector<Answer> call_handle_batch(const WorkerPool::Service& service,
                                      std::span<const trigger_message* const> batch,
                                      std::span<const trigger_message* const> received) {
  trigger_result prefilled = empty_result();
  prefilled.code = TRIGGER_RETRY;
  std::vector<trigger_result> results(batch.size(), prefilled);
  std::vector<trigger_result*> rows;
  rows.reserve(results.size());
  for (trigger_result& result : results) rows.push_back(&result);
  const CurrentCall call(service.site.get(), "handle_batch", received);
  const auto thrown = guarded(
      [&] { service.handle_batch(service.instance, batch.data(), rows.data(), batch.size()); });
  if (thrown) return std::vector<Answer>(batch.size(), thrown_answer(*thrown));
  std::vector<Answer> answers;
  answers.reserve(results.size());
  for (const trigger_result& result : results) {
    answers.push_back({result.code, result.retry_after_ms, reason_of(result)});
  }
  return answers;
}

}  // namespace triggerd::plugin
