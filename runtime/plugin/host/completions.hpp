// The thread on which one generation's services are told what became of their publishes.
//
// It is started with the first publish that asks to be told, so a plugin that never does costs no
// thread.
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

// A done callback that is due. `told` is called after it, whatever it did.
struct Completion {
  trigger_publish_done done = nullptr;
  void* user = nullptr;
  std::int32_t code = TRIGGER_OK;
  std::string reason{};
  std::function<void()> told{};
};

// Thread-safe.
class Completions {
 public:
  Completions(std::string plugin, Log& log);
  // The thread has been joined, or lost by join(): it is detached then.
  ~Completions();
  Completions(const Completions&) = delete;
  Completions& operator=(const Completions&) = delete;

  // Sees to it that the thread runs. False: it cannot be started, which is logged.
  [[nodiscard]] bool start();
  // start() has succeeded. The queue is as long as Publishes lets it be.
  void post(Completion completion);
  // Tells what is queued, then ends the thread. False: some done callback has not returned.
  // [control]
  [[nodiscard]] bool join(Monotonic deadline);
  // Nothing is logged from here on. For an abandoned generation, which may outlive the log.
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
