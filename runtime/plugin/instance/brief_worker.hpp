// The worker of a service that is brief: it has no thread, and calls handle() on the one that has
// read the message, for as long as that is quick.
//
// A call that takes longer than kBriefCall is the last of its service, whichever trigger it was
// for; where the thread had neither computed nor waited for so long, but others had its processor,
// the call is not to blame. What is quicker and yet takes its time is called so for a tenth of the
// time at most.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>

#include "plugin/instance/work_phase.hpp"
#include "plugin/instance/worker_pool.hpp"
#include "plugin/work.hpp"

namespace triggerd::plugin {

// The longest that a brief call takes, and that all of one run do.
inline constexpr Millis kBriefCall{5};

class BriefWorker final : public InlineWorker {
 public:
  // `service.brief` is there.
  BriefWorker(WorkerPool::Service service, WorkSource& source, std::stop_token stop);

  void run(bool in_time) override;
  bool willing() const override;
  bool give_up() override { return service_.brief->exchange(false); }

  // As a worker's: see WorkPhase. [control]
  bool come_back(Monotonic deadline) { return phase_.come_back(deadline); }

 private:
  using Phase = WorkPhase::Phase;

  // False: cut off.
  bool call_while_quick(std::optional<Monotonic::duration>& too_long);
  void rest_after(Monotonic::duration took, Monotonic end);

  const WorkerPool::Service service_;
  WorkSource& source_;
  const std::stop_token stop_;
  WorkPhase phase_{Phase::away};
  std::atomic<Monotonic::rep> rests_until_{0};
};

}  // namespace triggerd::plugin
