// Trigger while it does not receive: disabled, suspended and its monitor, and back-pressure.
#include "base/units.hpp"
#include "trigger/draining.hpp"
#include "trigger/grace.hpp"
#include "trigger/trigger.hpp"

namespace triggerd::trigger {
namespace {

constexpr Millis kPauseCheck{250};
constexpr Millis kPauseTold{1'000};

std::string because(const std::string& reason) {
  return reason.empty() ? "" : ": " + reason;
}

}  // namespace

// ---- States ----

Result<> Trigger::set_state(const std::optional<inbox::TriggerState>& state) {
  auto kept = services_.inbox.set_trigger_state(config_.name, state);
  if (!kept) return kept;
  MutexLock lock(state_mutex_);
  state_ = state;
  return {};
}

Result<> Trigger::disable(const std::string& by, const std::string& reason, Millis drain_timeout) {
  using State = inbox::TriggerState;
  if (auto kept = set_state(State{.state = State::State::disabled,
                                  .changed_by = by,
                                  .reason = reason,
                                  .since = system_clock().wall()});
      !kept) {
    return kept;
  }
  begin_leaving();
  disabling_ = true;  // stays connected meanwhile, for the acknowledgements
  update_reading();
  if (started_) {
    Trigger* const alone = this;
    drain_all({&alone, 1}, services_.writer, std::chrono::steady_clock::now() + drain_timeout,
              [this] { return services_.stopping(); });
  }
  dispatcher_.hold();  // also where its service starts only later
  if (started_) {
    (void)services_.writer.flush(std::chrono::steady_clock::now() + kLastWrite);
    flush_acknowledgements();
  }
  disabled_ = true;
  disabling_ = false;
  end_leaving();
  log_.warn("trigger.disabled", {{"trigger", config_.name}}, "disabled by {}{}", by,
            because(reason));
  services_.connections.supervisor->post(tasks_([this] { apply_pause(); }));
  return {};
}

Result<> Trigger::suspend(const std::string& by, const std::string& reason) {
  using State = inbox::TriggerState;
  if (auto kept = set_state(State{.state = State::State::suspended,
                                  .changed_by = by,
                                  .reason = reason,
                                  .since = system_clock().wall()});
      !kept) {
    return kept;
  }
  const bool armed = suspended_.exchange(true);
  dispatcher_.hold();
  log_.warn("trigger.suspended", {{"trigger", config_.name}}, "suspended by {}{}", by,
            because(reason));
  room_changed();
  if (started_ && !armed) arm_monitor();
  return {};
}

Result<> Trigger::enable() {
  if (auto kept = set_state(std::nullopt); !kept) return kept;
  disabled_ = false;
  suspended_ = false;
  dispatcher_.resume();
  room_changed();
  return {};
}

void Trigger::replay(const inbox::StoredMessage& message) {
  ++replaying_;
  services_.connections.supervisor->post(tasks_([this, message] {
    // Where the backlog is still being read, this one is part of it.
    if (backlog_done_) intake_.take_stored(message);
    --replaying_;
  }));
}

void Trigger::inbox_trouble(const std::optional<std::string>& reason) {
  if (config_.acknowledge != config::Acknowledge::durable) return;
  {
    MutexLock lock(pause_mutex_);
    inbox_trouble_ = reason.value_or("");
  }
  room_changed();
}

// While the trigger is suspended, from time to time: first the monitor service or the service's own
// probe is asked, where there is one; and where that is well, one message is tried.
void Trigger::arm_monitor() {
  services_.timer.after(config_.monitor_interval, tasks_([this] {
                          if (!suspended_ || stopping_) return;
                          if (ask_monitor()) return;
                          if (can_be_probed_) {
                            dispatcher_.begin_probe();
                          } else {
                            begin_trial();
                          }
                        }));
}

// False: the trigger has no monitor of its own.
bool Trigger::ask_monitor() {
  MutexLock lock(monitor_mutex_);
  if (!monitor_) return false;
  monitor_->ask();
  return true;
}

void Trigger::probe_ended(const Result<>& outcome) {
  if (!suspended_ || stopping_) return;
  if (outcome) {
    begin_trial();
    return;
  }
  log_.warn("trigger.suspended", {{"trigger", config_.name}}, "stays suspended: {}",
            outcome.error().message);
  arm_monitor();
}

void Trigger::begin_trial() {
  log_.info("trigger.trial", {{"trigger", config_.name}}, "trying one message");
  const dispatch::Dispatcher::Stats stats = dispatcher_.stats();
  trial_needs_message_ = stats.queued + stats.delayed == 0;
  dispatcher_.begin_half_open();
  room_changed();
}

void Trigger::trial_ended(bool handled) {
  trial_needs_message_ = false;
  if (!handled) {
    log_.warn("trigger.suspended", {{"trigger", config_.name}},
              "stays suspended: the message it tried was not handled");
    room_changed();
    arm_monitor();
    return;
  }
  log_.info("trigger.resumed", {{"trigger", config_.name}},
            "the message it tried was handled: running again");
  if (auto kept = enable(); !kept) {
    log_.error("inbox.error", {{"trigger", config_.name}}, "{}", kept.error().message);
    suspended_ = false;
    dispatcher_.resume();
    room_changed();
  }
}

// ---- Back-pressure: this connection alone stops reading, and after a while disconnects with its
// session kept; the server keeps what is published meanwhile. ----

bool Trigger::receives_suspended() const {
  return connection_->options().clean_session && config_.shared_group.empty();
}

bool Trigger::rests() const {
  return suspended_ && !trial_needs_message_ && !receives_suspended();
}

std::string Trigger::pause_reason() const {
  if (disabled_ || (disabling_ && !leaving_)) return "the trigger is disabled";
  if (rests()) return "the trigger is suspended";
  if (stopping_ && !leaving_) return "the runtime stops";
  if (dispatcher_.full()) {
    return fmt::format("queue_capacity ({}) is reached", config_.queue_capacity);
  }
  if (intake_.overrun()) return "the server sends QoS 2 without waiting for its answers";
  return inbox_trouble_.empty() ? "" : "the inbox takes no messages: " + inbox_trouble_;
}

// [any]
void Trigger::update_reading() {
  bool arm = false;
  {
    // What holds is asked under the lock: of two that come at once, the later one knows better.
    MutexLock lock(pause_mutex_);
    const bool pause = !pause_reason().empty();
    if (pause != reading_paused_) {
      const Monotonic now = std::chrono::steady_clock::now();
      if (reading_paused_) paused_before_ += now - paused_since_;
      paused_since_ = now;
    }
    if (!pause && reading_paused_) connection_->resume_reading();
    reading_paused_ = pause;
    if (pause) {
      connection_->pause_reading();
      arm = !std::exchange(check_armed_, true);
    }
  }
  if (arm) services_.connections.supervisor->post(tasks_([this] { check_pause(); }));
}

// While a pause lasts, from time to time. [supervisor]
void Trigger::check_pause() {
  update_reading();  // nobody says when what overran us is written
  apply_pause();
  {
    MutexLock lock(pause_mutex_);
    check_armed_ = reading_paused_;
    if (!check_armed_) return;
  }
  services_.connections.supervisor->after(kPauseCheck, tasks_([this] { check_pause(); }));
}

// [supervisor]
void Trigger::apply_pause() {
  std::string reason;
  const bool clean = connection_->options().clean_session;
  Monotonic since;
  {
    MutexLock lock(pause_mutex_);
    reason = pause_reason();
    since = paused_since_;
  }
  const auto lasted = std::chrono::steady_clock::now() - since;
  if (reason.empty()) {
    if (std::exchange(pause_told_, false)) {
      log_.info("trigger.resumed", {{"trigger", config_.name}}, "receiving again");
    }
    if (!leaving_ && std::exchange(paused_, false)) connection_->resume();
    return;
  }
  if (stopping_) return;
  if (!pause_told_ && lasted >= kPauseTold) {
    pause_told_ = true;
    log_.warn("trigger.paused", {{"trigger", config_.name}}, "receiving pauses: {}", reason);
  }
  // Only reading answers keep-alive. A clean session would lose what comes meanwhile, so there a
  // pause lasts as long as the server allows.
  const Millis keep_alive = connection_->keep_alive();
  const bool too_long = keep_alive > Millis(0) && lasted >= keep_alive * 3 / 4;
  const bool at_once = disabled_ || rests();
  if (paused_ || !(at_once || (too_long && !clean))) return;
  paused_ = true;
  if (!std::exchange(pause_told_, true)) {
    log_.warn("trigger.paused", {{"trigger", config_.name}}, "receiving pauses: {}", reason);
  }
  connection_->pause(reason);
}

void Trigger::room_changed() {
  update_reading();
  services_.connections.supervisor->post(tasks_([this] {
    apply_pause();
    tell_running();
    load_backlog();
  }));
}

}  // namespace triggerd::trigger
