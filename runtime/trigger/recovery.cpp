#include "trigger/recovery.hpp"

namespace triggerd::trigger {

void Recovery::arm() {
  MutexLock lock(mutex_);
  timer_.cancel(armed_);
  armed_ = timer_.after(interval_, tasks_([this] { try_now(); }));
}

void Recovery::try_now() {
  if (!steps_.suspended()) return;
  if (steps_.ask_monitor() || steps_.ask_probe()) return;
  try_message();
}

void Recovery::probed(const Result<>& outcome) {
  if (!steps_.suspended()) return;
  if (outcome) {
    try_message();
    return;
  }
  log_.warn("trigger.suspended", {{"trigger", trigger_}}, "stays suspended: {}",
            outcome.error().message);
  arm();
}

void Recovery::try_message() {
  log_.info("trigger.half_open", {{"trigger", trigger_}}, "trying one message");
  steps_.try_message();
}

void Recovery::message_failed() {
  log_.warn("trigger.suspended", {{"trigger", trigger_}},
            "stays suspended: the message that was tried was not handled");
  arm();
}

}  // namespace triggerd::trigger
