// The thread [control], on which everything that runs is changed, one change after another.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "base/event_loop.hpp"
#include "base/mutex.hpp"
#include "management/errors.hpp"

namespace triggerd::control {

class ControlThread {
 public:
  using Task = EventLoop::Task;

  explicit ControlThread(const Clock& clock) : loop_(clock) {}

  // Called after each task, before whoever waits for it continues: it refreshes what is shown of
  // the changes that control makes. Before start().
  void after_each(Task refresh) { refresh_ = std::move(refresh); }
  // Starts the thread; throws std::system_error if there is none. Tasks that are posted run from
  // now on; run() still refuses. [main]
  void start();
  // Runs `first`, and accepts run() from then on. [main]
  void open(Task first);

  // Runs `call`, which returns an Outcome, in its turn, and waits for it. Before open() and once
  // the runtime is stopping it is refused as `unavailable`. [any but control]
  template <class Call>
  auto run(Call call) -> decltype(call()) {
    // Shared, because setting it may take a little longer than waiting for it.
    const auto done = std::make_shared<std::promise<decltype(call())>>();
    const bool accepted = post_if_open([this, &call, done] {
      if (stopping_) {
        done->set_value(tl::make_unexpected(refusal()));
        return;
      }
      auto outcome = call();
      refresh();
      done->set_value(std::move(outcome));
    });
    if (!accepted) return tl::make_unexpected(refusal());
    return done->get_future().get();
  }
  // Runs `task` in its turn. False: the runtime is stopping, and it does not run. A task that was
  // accepted runs even if the runtime stops meanwhile. [any]
  bool post(Task task);
  // Runs `task` after this time, unless the runtime stops before. [any]
  void after(Millis delay, Task task);

  // The runtime stops: from now on every change is refused. The one under way is finished. [main]
  void begin_stop();
  // Waits for the change under way, and refuses everything that waits. [main]
  void join();
  bool stopping() const { return stopping_; }  // [any]

  const Clock& clock() const { return loop_.clock(); }
  // Runs what is due here: for tests, which do not start the thread.
  std::size_t run_due() { return loop_.run_due(); }

  // Why a change is refused before open(), and once the runtime is stopping.
  static management::AdminError refusal();

 private:
  bool post_if_open(Task task);
  void refresh();

  EventLoop loop_;
  Task refresh_;
  std::atomic<bool> stopping_{false};
  Mutex mutex_;
  bool open_ TRIGGERD_GUARDED_BY(mutex_) = false;
  std::jthread thread_;
};

}  // namespace triggerd::control
