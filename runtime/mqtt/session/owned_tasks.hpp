// Tasks and callbacks of one object that may be destroyed before they run: they run only while the
// object lives, and keep it alive until they return. The parts of an object share its OwnedTasks,
// so a task may capture a part's `this`.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "base/event_loop.hpp"

namespace triggerd::mqtt {

class OwnedTasks {
 public:
  explicit OwnedTasks(std::shared_ptr<EventLoop> loop) : loop_(std::move(loop)) {}

  // Once, before the first task: until then nothing would run.
  void owned_by(std::weak_ptr<const void> owner) { owner_ = std::move(owner); }

  // `callback`, for somebody who may call it later and on any thread.
  template <class Callback>
  auto guarded(Callback callback) const {
    return [owner = owner_, callback = std::move(callback)](const auto&... arguments) {
      if (const auto alive = owner.lock()) callback(arguments...);
    };
  }
  // The same, and it runs on the loop: for a thread that must not be the one to destroy the object.
  template <class Callback>
  auto posted(Callback callback) const {
    return [loop = loop_, call = guarded(std::move(callback))](const auto&... arguments) {
      loop->post([call, arguments...] { call(arguments...); });
    };
  }
  // Runs `task` on the loop. [any thread]
  void post(EventLoop::Task task) const { loop_->post(guarded(std::move(task))); }
  EventLoop::TimerId after(Millis delay, EventLoop::Task task) const {
    return loop_->after(delay, guarded(std::move(task)));
  }
  void cancel(EventLoop::TimerId timer) const { loop_->cancel(timer); }

  const Clock& clock() const { return loop_->clock(); }

 private:
  const std::shared_ptr<EventLoop> loop_;
  std::weak_ptr<const void> owner_;
};

// One timer: setting it replaces what it was set for. Belongs to the loop's thread.
class OwnedTimer {
 public:
  explicit OwnedTimer(const OwnedTasks& tasks) : tasks_(tasks) {}

  void set(Millis delay, EventLoop::Task task) {
    cancel();
    id_ = tasks_.after(delay, std::move(task));
  }
  void cancel() { tasks_.cancel(std::exchange(id_, {})); }

 private:
  const OwnedTasks& tasks_;
  EventLoop::TimerId id_{};
};

}  // namespace triggerd::mqtt
