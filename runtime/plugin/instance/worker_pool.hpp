// The threads that call one instance's handle() and handle_batch().
//
// A worker takes a message from the source, calls the service, gives the answer, and begins again.
// Where the service has handle_batch, the worker also takes what may go into the same call; a
// message that is alone goes to handle(). A worker whose call does not return is cut off: it may go
// on for ever, but it does not touch the source again, so the source may be destroyed.
//
// A brief service has one more worker, without a thread: see brief_worker.hpp.
//
// The pool has no lock: the control thread alone uses it. Each worker shares its phase with it
// (work_phase.hpp).
#pragma once

#include <trigger/plugin.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "plugin/process/current_call.hpp"
#include "plugin/process/thread.hpp"
#include "plugin/work.hpp"

namespace triggerd::plugin {

class BriefWorker;

// [control]
class WorkerPool {
 public:
  struct Service {
    std::int32_t (*handle)(void*, const trigger_message*, trigger_result*) = nullptr;
    void* instance = nullptr;
    std::int32_t (*probe)(void*, trigger_result*) = nullptr;  // may be missing
    void (*handle_batch)(void*, const trigger_message* const*, trigger_result* const*,
                         std::size_t) = nullptr;  // may be missing
    std::shared_ptr<const CallSite> site{};       // may be missing
    // Whether the service is still taken to be brief, shared by all of its triggers; null: it is
    // not called inline.
    std::shared_ptr<std::atomic<bool>> brief{};
  };
  // `source` and `clock` outlive join(). After an error no worker has taken anything.
  static Result<std::unique_ptr<WorkerPool>> start(const Service& service, WorkSource& source,
                                                   unsigned count, const std::string& thread_name,
                                                   const Clock& clock);
  // join() has been called.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Asks all workers to end, and does not wait.
  void request_end() { stop_.request_stop(); }
  // Ends all workers, waiting until `deadline` for calls of the service. False: at least one call
  // has not returned, and its worker was cut off. Either way no worker touches the source
  // afterwards.
  [[nodiscard]] bool join(Monotonic deadline);

 private:
  class Worker;
  struct Running {
    std::shared_ptr<Worker> worker;  // shared with its thread, which may outlive the pool
    Thread thread;
  };

  WorkerPool(WorkSource& source, const Clock& clock) : source_(source), clock_(clock) {}

  WorkSource& source_;
  const Clock& clock_;
  std::stop_source stop_;
  std::vector<Running> running_;
  std::shared_ptr<BriefWorker> inline_;  // null: there is none
};

// Calls handle(). An exception through the C ABI, which is the service's bug, counts as
// TRIGGER_RETRY with a reason that says so. `received` is what `message` was made of, or the same:
// it is named if the process ends in the call.
Answer call_handle(const WorkerPool::Service& service, const trigger_message& message,
                   const trigger_message& received);

// The same for handle_batch(), with an answer for each message. After an exception all of them are
// TRIGGER_RETRY: what the call did for messages it had answered may have been undone with it.
std::vector<Answer> call_handle_batch(const WorkerPool::Service& service,
                                      std::span<const trigger_message* const> batch,
                                      std::span<const trigger_message* const> received);

}  // namespace triggerd::plugin
