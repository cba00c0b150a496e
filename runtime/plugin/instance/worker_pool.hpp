// The threads that call one instance's handle() and handle_batch().
//
// A worker takes a message from the source, calls the service, answers, and does that again. Where
// the service has handle_batch, it takes what may go with it too; one that is alone goes to handle.
// One that does not come back from the service is cut off: it may go on for ever, but it does not
// touch the source again, so the source may go.
//
// For a service that is brief there is one worker more, without a thread: see brief_worker.hpp.
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
    // Whether it may be called inline, shared by all triggers of the service; null: never.
    std::shared_ptr<std::atomic<bool>> brief{};
  };
  // `source` outlives join(). After an error no worker has taken anything.
  static Result<std::unique_ptr<WorkerPool>> start(const Service& service, WorkSource& source,
                                                   unsigned count, const std::string& thread_name);
  // join() has been called.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Asks all workers to end, and does not wait.
  void request_end() { stop_.request_stop(); }
  // Ends all workers, waiting until `deadline` for calls of the service. False: at least one call
  // has not returned, and its worker was cut off. In both cases none touches the source afterwards.
  [[nodiscard]] bool join(Monotonic deadline);

 private:
  class Worker;
  struct Running {
    std::shared_ptr<Worker> worker;  // shared with its thread, which may outlive the pool
    Thread thread;
  };

  explicit WorkerPool(WorkSource& source) : source_(source) {}

  WorkSource& source_;
  std::stop_source stop_;
  std::vector<Running> running_;
  std::shared_ptr<BriefWorker> inline_;  // null: there is none
};

// What a call of handle() comes to. An exception through the C ABI, which is the service's bug,
// counts as TRIGGER_RETRY and says so in its reason.
Answer call_handle(const WorkerPool::Service& service, const trigger_message& message);

// The same for handle_batch(), an answer for each message. After an exception all of them are
// TRIGGER_RETRY: what the call had answered before may have been undone with it.
std::vector<Answer> call_handle_batch(const WorkerPool::Service& service,
                                      std::span<const trigger_message* const> batch);

}  // namespace triggerd::plugin
