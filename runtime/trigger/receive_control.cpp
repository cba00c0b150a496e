#include "trigger/receive_control.hpp"

#include <utility>

namespace triggerd::trigger {
namespace {

constexpr Millis kLookAgain{250};
// A shorter pause is not worth a line in the log.
constexpr Millis kReportAfter{1'000};

}  // namespace

void ReceiveControl::note_inbox_trouble(const std::string& reason) {
  MutexLock lock(mutex_);
  inbox_trouble_ = reason;
}

ReceiveControl::Wish ReceiveControl::wish() const {
  Wish wish = ask_();
  if (wish.pause.empty() && !inbox_trouble_.empty()) {
    wish.pause = "the inbox takes no messages: " + inbox_trouble_;
  }
  return wish;
}

void ReceiveControl::update() {
  bool arm = false;
  {
    MutexLock lock(mutex_);
    const bool pause = !wish().pause.empty();
    if (pause != reading_paused_) {
      const Monotonic now = supervisor_.clock().now();
      if (reading_paused_) paused_before_ += now - paused_since_;
      paused_since_ = now;
    }
    if (!pause && reading_paused_) receiver_->resume_reading();
    reading_paused_ = pause;
    if (pause) {
      receiver_->pause_reading();
      arm = !std::exchange(look_armed_, true);
    }
  }
  if (arm) supervisor_.post(tasks_([this] { look_again(); }));
}

// From time to time while a pause lasts: nobody says when the packet ids that the server sent too
// many of are written. [supervisor]
void ReceiveControl::look_again() {
  update();
  apply();
  {
    MutexLock lock(mutex_);
    look_armed_ = reading_paused_;
    if (!look_armed_) return;
  }
  supervisor_.after(kLookAgain, tasks_([this] { look_again(); }));
}

void ReceiveControl::apply() {
  Wish wish;
  Monotonic since;
  {
    MutexLock lock(mutex_);
    wish = this->wish();
    since = paused_since_;
  }
  if (wish.pause.empty()) {
    if (std::exchange(reported_, false)) {
      log_.info("trigger.resumed", {{"trigger", trigger_}}, "receiving again");
    }
    if (wish.may_connect && std::exchange(disconnected_, false)) receiver_->connect();
    return;
  }
  if (!wish.may_disconnect) return;
  const auto report = [&] {
    if (std::exchange(reported_, true)) return;
    log_.warn("trigger.paused", {{"trigger", trigger_}}, "receiving pauses: {}", wish.pause);
  };
  const Monotonic::duration lasted = supervisor_.clock().now() - since;
  if (lasted >= kReportAfter) report();
  const Millis keep_alive = receiver_->keep_alive();
  const bool too_long = keep_alive > Millis(0) && lasted >= keep_alive * 3 / 4;
  if (disconnected_ || !(wish.at_once || (too_long && !receiver_->clean_session()))) return;
  disconnected_ = true;
  report();
  receiver_->disconnect(wish.pause);
}

ReceiveControl::Status ReceiveControl::status() const {
  MutexLock lock(mutex_);
  Status status{.paused = reading_paused_, .reason = wish().pause, .total = paused_before_};
  if (reading_paused_) status.total += supervisor_.clock().now() - paused_since_;
  return status;
}

}  // namespace triggerd::trigger
