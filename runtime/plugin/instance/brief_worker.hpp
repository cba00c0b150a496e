// The worker of a brief service: it has no thread of its own, and calls handle() on the one that
// has read the message, as long as that is quick.
//
// A call that takes longer than kBriefCall ends this for the service, for all of its triggers;
// unless the thread neither computed nor waited for that long, but did not get a processor: then
// the call is not to blame. A service whose calls are quicker than that and yet not short is called
// on the reading thread for at most a tenth of the time.
//
// No lock; whoever has a message to handle runs it, one thread at a time.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>

#include "plugin/instance/work_phase.hpp"
#include "plugin/instance/worker_pool.hpp"
#include "plugin/work.hpp"

namespace triggerd::plugin {

// The longest that a brief call may take, and all calls of one run together.
inline constexpr Millis kBriefCall{5};

class BriefWorker final : public InlineWorker {
 public:
  // `service.brief` is not null. The source and the clock outlive it, or live until come_back().
  BriefWorker(WorkerPool::Service service, WorkSource& source, std::stop_token stop,
              const Clock& clock);

  void run(bool in_time) override;
  bool willing() const override;
  bool give_up() override { return service_.brief->exchange(false); }

  // Waits for a call that is under way, as WorkPhase::come_back() says. [control]
  bool come_back(Monotonic deadline) { return phase_.come_back(deadline); }

 private:
  using Phase = WorkPhase::Phase;

  // False: it was cut off meanwhile.
  bool call_while_quick(std::optional<Monotonic::duration>& too_long);
  void rest_after(Monotonic::duration took, Monotonic end);

  const WorkerPool::Service service_;
  WorkSource& source_;
  const std::stop_token stop_;
  const Clock& clock_;
  WorkPhase phase_;
  std::atomic<Monotonic::rep> rests_until_{0};
};

}  // namespace triggerd::plugin
