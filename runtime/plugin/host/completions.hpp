// The thread that reports the results of publishes to the services of one generation.
//
// It starts with the first publish that has a done callback, so other plugins cost no thread.
#pragma once

#include <trigger/plugin.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/mutex.hpp"
#include "plugin/process/thread.hpp"

namespace triggerd::plugin {

// A done callback that is due. `told` is called after it, even if it threw.
struct Completion {
  trigger_publish_done done = nullptr;
  void* user = nullptr;
  std::int32_t code = TRIGGER_OK;
  std::string reason{};
  std::function<void()> told{};
};

// Thread-safe: a lock for the start, and one for the queue that it shares with its thread.
class Completions {
 public:
  Completions(std::string plugin, Log& log);
  // join() was called; a thread that it could not join is detached.
  ~Completions();
  Completions(const Completions&) = delete;
  Completions& operator=(const Completions&) = delete;

  // Starts the thread if it does not run yet. False: it cannot be started, which is logged.
  [[nodiscard]] bool start();
  // After start() has succeeded. Publishes bounds the length of the queue.
  void post(Completion completion);
  // Reports what is queued, then ends the thread. False: some done callback has not returned by
  // `deadline`. [control]
  [[nodiscard]] bool join(Monotonic deadline);
  // Logs nothing from now on: an abandoned generation may outlive the log.
  void mute();

 private:
  // Shared with the thread, which may outlive this object.
  struct Queue;
  static void run(Queue& queue);
  static void tell(Queue& queue, const Completion& completion);

  const std::shared_ptr<Queue> queue_;
  Mutex start_;
  Thread thread_ TRIGGERD_GUARDED_BY(start_);
  bool started_ TRIGGERD_GUARDED_BY(start_) = false;
};

}  // namespace triggerd::plugin
