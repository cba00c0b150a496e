#include "control/running/control_thread.hpp"

#include <pthread.h>

namespace triggerd::control {

management::AdminError ControlThread::refusal() {
  return {management::AdminError::Kind::unavailable,
          "the runtime is starting or stopping, and accepts no changes now; try again later",
          {}};
}

void ControlThread::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) {
    pthread_setname_np(pthread_self(), "control");
    loop_.run(stop);
  });
}

void ControlThread::open(Task first) {
  const MutexLock lock(mutex_);
  open_ = true;
  loop_.post([this, first = std::move(first)] {
    first();
    refresh();
  });
}

bool ControlThread::post_if_open(Task task) {
  const MutexLock lock(mutex_);
  if (open_) loop_.post(std::move(task));
  return open_;
}

bool ControlThread::post(Task task) {
  const MutexLock lock(mutex_);
  if (stopping_) return false;
  loop_.post([this, task = std::move(task)] {
    task();
    refresh();
  });
  return true;
}

void ControlThread::after(Millis delay, Task task) {
  loop_.after(delay, [this, task = std::move(task)] {
    if (stopping_) return;
    task();
    refresh();
  });
}

void ControlThread::begin_stop() {
  const MutexLock lock(mutex_);
  stopping_ = true;
  open_ = false;
}

void ControlThread::join() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  loop_.run_due();  // somebody may wait for what was posted last
}

void ControlThread::refresh() {
  if (refresh_ && !stopping_) refresh_();
}

}  // namespace triggerd::control
