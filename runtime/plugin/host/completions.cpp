#include "plugin/host/completions.hpp"

#include <deque>
#include <string_view>
#include <utility>

#include "plugin/host/guarded_call.hpp"

namespace triggerd::plugin {

struct Completions::Queue {
  Queue(std::string plugin_name, Log& log_to) : plugin(std::move(plugin_name)), log(&log_to) {}

  void log_error(std::string_view event, std::string_view text) {
    const MutexLock lock(log_mutex);
    if (log != nullptr) log->write(LogLevel::error, event, {{"plugin", plugin}}, text);
  }

  const std::string plugin;
  Mutex mutex;
  CondVar changed;
  std::deque<Completion> due TRIGGERD_GUARDED_BY(mutex);
  bool ending TRIGGERD_GUARDED_BY(mutex) = false;
  bool ended TRIGGERD_GUARDED_BY(mutex) = false;

  Mutex log_mutex;
  Log* log TRIGGERD_GUARDED_BY(log_mutex);
};

Completions::Completions(std::string plugin, Log& log)
    : queue_(std::make_shared<Queue>(std::move(plugin), log)) {}

Completions::~Completions() = default;

bool Completions::start() {
  const MutexLock lock(start_);
  if (started_) return true;
  auto thread = Thread::start(thread_name('c', queue_->plugin), [queue = queue_] { run(*queue); });
  if (!thread) {
    queue_->log_error("plugin.completions", thread.error().message);
    return false;
  }
  thread_ = std::move(*thread);
  started_ = true;
  return true;
}

void Completions::post(Completion completion) {
  const MutexLock lock(queue_->mutex);
  queue_->due.push_back(std::move(completion));
  queue_->changed.notify_all();
}

bool Completions::join(Monotonic deadline) {
  const MutexLock start_lock(start_);
  if (!started_) return true;
  {
    const MutexLock lock(queue_->mutex);
    queue_->ending = true;
    queue_->changed.notify_all();
    while (!queue_->ended) {
      if (queue_->changed.wait_until(queue_->mutex, deadline) == std::cv_status::timeout) break;
    }
    if (!queue_->ended) {
      thread_.detach();
      return false;
    }
  }
  return thread_.join(Thread::kEndGrace);
}

void Completions::mute() {
  const MutexLock lock(queue_->log_mutex);
  queue_->log = nullptr;
}

void Completions::run(Queue& queue) {
  for (;;) {
    Completion next;
    {
      const MutexLock lock(queue.mutex);
      while (queue.due.empty() && !queue.ending) queue.changed.wait(queue.mutex);
      if (queue.due.empty()) {
        queue.ended = true;
        queue.changed.notify_all();
        return;
      }
      next = std::move(queue.due.front());
      queue.due.pop_front();
    }
    tell(queue, next);
    next.told();
  }
}

void Completions::tell(Queue& queue, const Completion& completion) {
  const auto thrown = guarded([&] {
    completion.done(completion.user, completion.code,
                    {completion.reason.c_str(), completion.reason.size()});
  });
  if (!thrown) return;
  queue.log_error("plugin.exception",
                  "a done callback threw an exception across the C ABI: " + *thrown);
}

}  // namespace triggerd::plugin
