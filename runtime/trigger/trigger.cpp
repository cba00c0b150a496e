#include "trigger/trigger.hpp"

#include <algorithm>
#include <variant>

#include "base/units.hpp"
#include "trigger/grace.hpp"

namespace triggerd::trigger {
namespace {

dispatch::DispatcherOptions options_of(const config::Trigger& config, dispatch::Deaths* deaths) {
  return {.trigger = config.name,
          .concurrency = config.concurrency,
          .order = config.order,
          .deduplicate = config.deduplicate,
          .queue_capacity = config.queue_capacity,
          .pacing = config.pacing,
          .timeout = config.timeout,
          .retry = config.retry,
          .on_exhausted = config.on_exhausted,
          // A worker process is ended by its messages, and not the runtime.
          .deaths = config.isolation == config::Isolation::process ? nullptr : deaths};
}

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

constexpr Millis kStoreAgain{1'000};

std::string because(const std::string& reason) {
  return reason.empty() ? "" : ": " + reason;
}

}  // namespace

Trigger::Trigger(const config::Trigger& config, const TriggerServices& services)
    : config_(config),
      services_(services),
      log_(services.log),
      holds_(config.acknowledge != config::Acknowledge::received),
      home_{.trigger = config.name,
            .client_id = {},
            .acknowledge = config.acknowledge,
            .writer = &services.writer},
      reporter_(config_, services.log, services.events, services.timer.clock(),
                [this] { return slot_.service_name(); }),
      dead_letters_(config_, services.inbox.dead_letters(), services.publisher,
                    services.timer.clock(), services.log),
      acks_(services.timer, [this] { connection_->flush_acknowledgements(); }),
      intake_(home_, dispatcher_, services.inbox, services.ids, services.timer.clock(),
              services.log),
      dispatcher_(options_of(config, services.deaths), *this, services.timer,
                  services.connections.random),
      retained_(config.retained,
                [this](std::string_view topic, std::string_view digest) {
                  services_.writer.note_retained(config_.name, std::string(topic),
                                                 std::string(digest));
                }),
      state_(services.timer.clock(),
             [this](const std::optional<inbox::TriggerState>& state) {
               return services_.inbox.triggers().set_state(config_.name, state);
             }),
      recovery_(config.name, config.monitor_interval, recovery_steps(), services.timer, tasks_,
                services.log),
      receive_(
          config.name, [this] { return receive_wish(); }, *services.connections.supervisor, tasks_,
          services.log),
      backlog_(config.name, intake_, dispatcher_, *services.connections.supervisor, tasks_,
               services.log, [this] { connection_->open(); }),
      running_(config_, services.log, services_.running_changed),
      watch_(services.timer.clock()),
      host_(config_, dispatcher_, services.publisher),
      slot_(config_, dispatcher_, services.timer.clock(), services.connections.random,
            slot_events(), services.log) {
  receive_.use(*this);
}

Trigger::~Trigger() {
  // Whatever the library still has to say finds all of this in its place.
  connection_.reset();
}

ServiceSlot::Events Trigger::slot_events() {
  return {.stopping = services_.stopping,
          .serves_changed =
              [this] {
                services_.connections.supervisor->post(
                    tasks_([this] { running_.note(running_facts()); }));
              },
          .start_later = [this](Millis delay) { services_.start_later(*this, delay); },
          .try_again_later =
              [this] {
                if (state_.suspended()) recovery_.arm();
              }};
}

Recovery::Steps Trigger::recovery_steps() {
  return {.suspended = [this] { return state_.suspended() && !stage_.stopping; },
          .ask_monitor =
              [this] {
                const auto monitor = slot_.monitor();
                if (monitor) monitor->ask();
                return monitor != nullptr;
              },
          .ask_probe =
              [this] {
                if (!slot_.can_be_probed()) return false;
                dispatcher_.begin_probe();
                return true;
              },
          .try_message =
              [this] {
                const dispatch::Dispatcher::Stats stats = dispatcher_.stats();
                half_open_needs_message_ =
                    stats.queued + stats.delayed + stats.waiting_for_delay == 0;
                dispatcher_.begin_half_open();
                room_changed();
              }};
}

// ---- Made, started, stopped ----

Result<> Trigger::make_service(const std::shared_ptr<plugin::Generation>& generation,
                               const std::shared_ptr<plugin::Generation>& monitor) {
  return make_service(instances_of(generation), instances_of(monitor));
}

Result<> Trigger::make_service(const MakeInstance& service, const MakeInstance& monitor) {
  auto instance = service(config_, host_);
  if (!instance) return tl::make_unexpected(instance.error());
  ServiceSlot::Serving serving{.instance = std::move(*instance)};
  if (monitor) {
    auto made = make_monitor(monitor);
    if (!made) return tl::make_unexpected(made.error());
    serving.monitor = std::move(*made);
  }
  slot_.serve(std::move(serving));
  return {};
}

Result<std::shared_ptr<Monitor>> Trigger::make_monitor(const MakeInstance& make) {
  return Monitor::make(
      make, config_, [this](const Result<>& outcome) { recovery_.probed(outcome); },
      services_.timer.clock());
}

Result<> Trigger::make_connection(mqtt::ConnectionOptions options) {
  if (retained_.remembers()) {
    auto handled = services_.inbox.triggers().handled_retained(config_.name);
    if (!handled) return tl::make_unexpected(handled.error());
    retained_.load(*handled);
  }
  if (const auto& rule = config_.deduplicate) {
    auto keys = services_.inbox.handled_keys().of(
        config_.name, {.window = rule->window, .max = rule->max}, services_.timer.clock().now());
    if (!keys) return tl::make_unexpected(keys.error());
    dispatcher_.set_keys(*std::move(keys));
  }
  home_.client_id = options.client_id;
  options.hold_acknowledgements = holds_;
  if (auto loaded = intake_.load(); !loaded) return loaded;
  auto state = services_.inbox.triggers().state(config_.name);
  if (!state) return tl::make_unexpected(state.error());
  if (*state) {
    state_.load(*state);
    dispatcher_.hold();
    const bool disabled = state_.disabled();
    log_.warn(disabled ? "trigger.disabled" : "trigger.suspended", {{"trigger", config_.name}},
              "it was {} by {} and stays so: {}", disabled ? "disabled" : "suspended",
              (*state)->changed_by, (*state)->reason);
  }
  auto connection = mqtt::Connection::make(services_.connections, std::move(options), *this);
  if (!connection) return tl::make_unexpected(connection.error());
  connection_ = std::move(*connection);
  return {};
}

Result<> Trigger::start() {
  begin_receiving();
  return start_again();
}

Result<> Trigger::start_again() {
  if (slot_.started()) return {};
  auto started = slot_.start();
  if (started && state_.suspended()) recovery_.arm();
  return started;
}

void Trigger::begin_receiving() {
  services_.connections.supervisor->post(tasks_([this] {
    receive_.apply();
    backlog_.begin();
  }));
}

void Trigger::stop_receiving() {
  begin_leaving();
  stage_.stopping = true;
  backlog_.stop();
  receive_.update();
}

void Trigger::begin_leaving() {
  if (!connection_->options().clean_session) return;
  stage_.left = false;
  stage_.leaving = true;
  connection_->leave(tasks_([this] { stage_.left = true; }));
}

void Trigger::end_leaving() {
  stage_.leaving = false;
  receive_.update();
}

void Trigger::close(std::function<void()> closed) {
  flush_acknowledgements();
  connection_->close(std::move(closed));
}

bool Trigger::drain(Monotonic deadline, Monotonic pause) {
  const bool done = !slot_.started() || dispatcher_.drain(deadline, pause);
  flush_acknowledgements();
  return done;
}

void Trigger::end_tasks() {
  tasks_.end();
  dispatcher_.end_tasks();
  acks_.end_tasks();
}

bool Trigger::finish(Monotonic deadline) {
  const bool stopped = slot_.stop(deadline);
  keep_unfinished();
  return slot_.destroy() && stopped;
}

// The server has what it has no acknowledgement for, unless it has lost the session; the inbox what
// it has a row of. The rest gets one now, and is handled after the next start.
void Trigger::keep_unfinished() {
  for (const dispatch::DeliveryPtr& delivery : dispatcher_.take_unfinished()) {
    if (const auto number = delivery->number()) {
      services_.writer.note_attempts(*number, delivery->failed);
      continue;
    }
    const bool server_has_it = holds_ && delivery->message.qos > 0 && !delivery->acknowledged() &&
                               !delivery->id_forgotten() && !connection_->options().clean_session;
    if (server_has_it) continue;
    unfinished_.push_back(delivery);
    intake_.keep(delivery);
  }
}

void Trigger::report_unfinished(bool written) {
  const std::vector<dispatch::DeliveryPtr> kept = std::exchange(unfinished_, {});
  if (written) {
    if (!kept.empty()) {
      log_.info("trigger.unfinished", {{"trigger", config_.name}},
                "{} message{} not handled yet: the inbox keeps {} for the next start", kept.size(),
                kept.size() == 1 ? " is" : "s are", kept.size() == 1 ? "it" : "them");
    }
    return;
  }
  for (const dispatch::DeliveryPtr& delivery : kept) {
    if (delivery->number()) continue;
    reporter_.lost(*delivery, "the runtime stopped, and the inbox could not be written");
  }
}

// ---- Enabled, suspended, disabled ----

Result<> Trigger::disable(const std::string& by, const std::string& reason, Millis drain_timeout) {
  stage_.disabling = true;  // stays connected meanwhile, for the acknowledgements
  if (auto kept = state_.change(TriggerState::Kind::disabled, by, reason); !kept) {
    stage_.disabling = false;
    receive_.update();
    return kept;
  }
  begin_leaving();
  receive_.update();
  const Clock& clock = services_.timer.clock();
  if (slot_.started()) {
    Draining* const alone = this;
    drain_all(
        {&alone, 1}, services_.writer, clock.now() + drain_timeout,
        [this] { return services_.stopping(); }, clock);
  }
  dispatcher_.hold();  // also if its service starts only later
  if (slot_.started()) {
    (void)services_.writer.flush(clock.now() + kLastWrite);
    flush_acknowledgements();
  }
  stage_.disabling = false;
  end_leaving();
  log_.warn("trigger.disabled", {{"trigger", config_.name}}, "disabled by {}{}", by,
            because(reason));
  services_.connections.supervisor->post(tasks_([this] { receive_.apply(); }));
  return {};
}

Result<> Trigger::suspend(const std::string& by, const std::string& reason) {
  if (auto kept = state_.change(TriggerState::Kind::suspended, by, reason); !kept) return kept;
  dispatcher_.hold();
  log_.warn("trigger.suspended", {{"trigger", config_.name}}, "suspended by {}{}", by,
            because(reason));
  room_changed();
  if (slot_.started()) recovery_.arm();
  return {};
}

Result<> Trigger::enable() {
  if (auto kept = state_.enable(); !kept) return kept;
  dispatcher_.resume();
  room_changed();
  return {};
}

void Trigger::resume_after_recovery() {
  if (!state_.recover()) return;
  log_.info("trigger.resumed", {{"trigger", config_.name}},
            "the message that was tried was handled: running again");
  if (auto stored = state_.store(); !stored) {
    log_.error("inbox.error", {{"trigger", config_.name}},
               "{}; until it is stored, a restart would suspend it again", stored.error().message);
    store_state_later();
  }
  dispatcher_.resume();
  room_changed();
}

// A restart would otherwise find the state of before. [timer]
void Trigger::store_state_later() {
  services_.timer.after(kStoreAgain, tasks_([this] {
                          if (!state_.store()) store_state_later();
                        }));
}

void Trigger::replay(const inbox::StoredMessage& message) {
  ++counts_.replaying;
  services_.connections.supervisor->post(tasks_([this, message] {
    // While the backlog is still being read, this one is part of it.
    if (backlog_.done()) intake_.take_stored(message);
    --counts_.replaying;
  }));
}

// ---- Another generation of its plugin ----

bool Trigger::uses(const plugin::Generation& generation) const {
  const auto monitor = slot_.monitor();
  return (slot_.has_instance() && &slot_.instance().generation() == &generation) ||
         (monitor && &monitor->generation() == &generation);
}

Result<> Trigger::make_successor(const plugin::Generation& old,
                                 const std::shared_ptr<plugin::Generation>& next) {
  ServiceSlot::Serving successor;
  if (&slot_.instance().generation() == &old) {
    auto made = next->create(config_, host_);
    if (!made) return tl::make_unexpected(made.error());
    successor.instance = std::move(*made);
  }
  if (const auto monitor = slot_.monitor(); monitor && &monitor->generation() == &old) {
    auto made = make_monitor(instances_of(next));
    if (!made) return tl::make_unexpected(made.error());
    successor.monitor = std::move(*made);
  }
  slot_.prepare(std::move(successor));
  return {};
}

Result<> Trigger::hand_over(Monotonic deadline, bool with_state) {
  return slot_.hand_over(deadline, with_state);
}

// ---- From the connection ----

void Trigger::on_message(mqtt::Message&& message) {
  counts_.arrived.store(arrived() + 1, std::memory_order_relaxed);
  if (message.retained && !retained_.takes(message.topic, message.payload)) {
    intake_.refuse(message);
    return;
  }
  intake_.take(std::move(message));
}

void Trigger::on_refused(mqtt::Message&& message) {
  counts_.refused.fetch_add(1, std::memory_order_relaxed);
  intake_.refuse(message);
}

void Trigger::on_batch_end() {
  intake_.end_batch();
  if (dispatcher_.full() || intake_.overrun()) receive_.update();
}

void Trigger::on_pubrel(std::uint16_t packet_id, mqtt::Receipt receipt) {
  intake_.pubrel(packet_id, std::move(receipt));
}

void Trigger::on_session_lost() {
  intake_.session_lost();
}

void Trigger::on_status(const mqtt::ConnectionStatus& status) {
  watch_.note(status);
  running_.note(status, running_facts());
}

RunningReport::Facts Trigger::running_facts() const {
  return {.serves = slot_.serves(),
          .suspended = state_.suspended(),
          .disabled = disabled(),
          .service = slot_.service_name()};
}

// ---- Whether it receives ----

bool Trigger::receives_suspended() const {
  return connection_->options().clean_session && config_.shared_group.empty();
}

bool Trigger::rests() const {
  return state_.suspended() && !half_open_needs_message_ && !receives_suspended();
}

ReceiveControl::Wish Trigger::receive_wish() const {
  ReceiveControl::Wish wish{.at_once = disabled() || rests(),
                            .may_connect = !stage_.leaving,
                            .may_disconnect = !stage_.stopping};
  if (disabled() || (stage_.disabling && !stage_.leaving)) {
    wish.pause = "the trigger is disabled";
  } else if (rests()) {
    wish.pause = "the trigger is suspended";
  } else if (stage_.stopping && !stage_.leaving) {
    wish.pause = "the runtime is stopping";
  } else if (dispatcher_.full()) {
    wish.pause = fmt::format("queue_capacity ({}) is reached", config_.queue_capacity);
  } else if (intake_.overrun()) {
    wish.pause = "the server sends QoS 2 messages without waiting for acknowledgements";
  }
  return wish;
}

void Trigger::inbox_trouble(const std::optional<std::string>& reason) {
  // Without a key on the disk nothing of it is acknowledged, whatever else is.
  if (config_.acknowledge != config::Acknowledge::durable && !config_.deduplicate) return;
  receive_.note_inbox_trouble(reason.value_or(""));
  room_changed();
}

void Trigger::room_changed() {
  receive_.update();
  services_.connections.supervisor->post(tasks_([this] {
    receive_.apply();
    running_.note(running_facts());
    backlog_.go_on();
  }));
}

void Trigger::remember_retained(const dispatch::Delivery& delivery) {
  if (delivery.message.retained) {
    retained_.handled(delivery.message.topic, delivery.message.payload);
  }
}

// ---- From the dispatcher ----

void Trigger::acknowledge(dispatch::Delivery& delivery, bool idle_next) {
  delivery.finish();
  if (!holds_ || delivery.message.qos == 0) return;
  acks_.add(idle_next || dispatcher_.is_inline_here());
}

void Trigger::finished(dispatch::Delivery& delivery, bool idle_next) {
  acknowledge(delivery, idle_next);
  remember_retained(delivery);
  reporter_.finished(delivery);
}

bool Trigger::write_dead_letter(dispatch::Delivery& delivery, const std::string& reason) {
  const auto number = dead_letters_.write(delivery, reason);
  if (!number) {
    reporter_.dead_letter_failed(delivery, number.error().message);
    return false;
  }
  reporter_.dead_letter(delivery, *number, reason);
  acknowledge(delivery, false);
  remember_retained(delivery);
  dead_letters_.publish(delivery, connection_->options().protocol == config::Protocol::v5);
  return true;
}

void Trigger::on_event(const dispatch::DispatchEvent& told) {
  namespace event = dispatch::event;
  if (std::holds_alternative<event::Suspended>(told) && dispatcher_.is_inline_here()) {
    // The receive thread does not wait for the disk.
    services_.timer.post(tasks_([this, told] { on_event(told); }));
    return;
  }
  if (const auto* suspended = std::get_if<event::Suspended>(&told)) {
    // An administrator may have disabled it meanwhile.
    if (!state_.suspend("on_exhausted", suspended->reason)) return;
  }
  reporter_.report(told);
  std::visit(Overloaded{[&](const event::Retrying& e) { note_attempts(*e.delivery, e.attempts); },
                        [&](const event::Overrunning& e) {
                          note_attempts(*e.delivery,
                                        e.delivery->failed);  // even if it never returns
                        },
                        [&](const event::Discarded& e) {
                          acknowledge(*e.delivery, false);
                          remember_retained(*e.delivery);
                        },
                        [&](const event::Expired& e) { acknowledge(*e.delivery, false); },
                        [&](const event::Duplicate& e) {
                          acknowledge(*e.delivery, false);
                          remember_retained(*e.delivery);
                        },
                        [&](const event::NotBrief&) { acks_.flush(); },  // of messages before it
                        [&](const event::Suspended& e) { on_suspended(e); },
                        [&](const event::ProbeEnded& e) { recovery_.probed(e.outcome); },
                        [&](const event::HalfOpenEnded& e) { on_half_open_ended(e.handled); },
                        [](const auto&) {}},
             told);
}

void Trigger::on_suspended(const dispatch::event::Suspended& event) {
  note_attempts(*event.delivery, 0);
  if (auto stored = state_.store(); !stored) {
    log_.error("inbox.error", {{"trigger", config_.name}},
               "{}; until it is stored, a restart would lift the suspension",
               stored.error().message);
    store_state_later();
  }
  room_changed();
  recovery_.arm();
}

void Trigger::on_half_open_ended(bool handled) {
  half_open_needs_message_ = false;
  if (handled) {
    resume_after_recovery();
  } else {
    recovery_.message_failed();
    room_changed();
  }
}

void Trigger::note_attempts(const dispatch::Delivery& delivery, std::uint32_t attempts) {
  if (const auto number = delivery.number()) services_.writer.note_attempts(*number, attempts);
}

void Trigger::idle() {
  acks_.flush();
  services_.writer.reconsider();
}

// ---- As whoever manages the runtime sees it ----

void Trigger::fill_in(management::TriggerStatus& status) const {
  status.alias = config_.alias;
  if (const auto state = state_.details()) {
    using State = management::TriggerStatus::State;
    status.state =
        state->state == TriggerState::Kind::disabled ? State::disabled : State::suspended;
    status.state_by = state->changed_by;
    status.state_reason = state->reason;
    status.state_since = state->since;
  }
  status.not_running_reason = slot_.start_failure();
  const management::ConnectionView connection = connection_view();
  status.running = running();
  if (status.running) {
    status.not_running_reason.clear();
  } else if (disabled()) {
    status.not_running_reason = "disabled";
  } else if (state_.suspended()) {
    status.not_running_reason = "suspended";
  } else if (status.not_running_reason.empty() && !slot_.serves()) {
    status.not_running_reason = "its service is being started";
  } else if (status.not_running_reason.empty()) {
    status.not_running_reason = connection.reason.empty() ? connection.state : connection.reason;
  }
  for (const mqtt::Grant& grant : watch_.grants()) {
    status.filters.push_back({.filter = grant.filter,
                              .asked_qos = grant.asked_qos,
                              .granted_qos = grant.granted_qos,
                              .refusal = grant.refusal});
    if (!status.running && !grant.refusal.empty() && connection.state == "up") {
      status.not_running_reason = "the server refused \"" + grant.filter + "\"" + grant.refusal;
    }
  }
  if (status.filters.empty()) {
    for (const config::Topic& topic : connection_options().topics) {
      status.filters.push_back(
          {.filter = topic.filter, .asked_qos = topic.qos, .granted_qos = {}, .refusal = {}});
    }
  }
  const dispatch::Dispatcher::Stats stats = dispatcher_.stats();
  management::TriggerCounters& counters = status.counters;
  std::copy(stats.received_qos.begin(), stats.received_qos.end(), counters.received_qos);
  counters.received = stats.received;
  counters.ok = stats.ok;
  counters.filtered = stats.filtered;
  counters.duplicates = stats.duplicates;
  counters.without_key = stats.without_key;
  counters.keys_forgotten = stats.keys_forgotten;
  counters.retried = stats.retried;
  counters.rejected = stats.rejected;
  counters.exhausted = stats.exhausted;
  counters.timed_out = stats.timed_out;
  counters.invalid_verdicts = stats.invalid_verdicts;
  counters.unavailable = stats.unavailable;
  counters.late_answers = stats.late_answers;
  counters.expired = stats.expired;
  counters.discarded = stats.discarded;
  counters.inline_calls = stats.inline_calls;
  counters.not_brief = stats.not_brief;
  counters.dead_letters_made = dead_letters_.written();
  counters.refused = counts_.refused.load(std::memory_order_relaxed);
  status.queued = stats.queued;
  status.in_flight = stats.in_flight;
  status.delayed = stats.delayed;
  status.pacing.waiting_for_delay = stats.waiting_for_delay;
  status.pacing.rate_holds = stats.rate_holds;
  status.pacing.rate_held_seconds = std::chrono::duration<double>(stats.rate_held).count();
  status.late = stats.expired_pending;
  if (config_.deduplicate) status.keys = stats.keys;
  if (const auto outage = dispatcher_.outage()) {
    status.unavailable_reason = outage->reason;
    status.unavailable_since = outage->since;
  }
  dispatch::Dispatcher::Times times = dispatcher_.times();
  status.handle = std::move(times.handle);
  status.delivery = std::move(times.delivery);
  status.batch = std::move(times.batch);
  const ReceiveControl::Status receiving = receive_.status();
  status.paused = receiving.paused;
  status.pause_reason = receiving.reason;
  status.paused_seconds = std::chrono::duration<double>(receiving.total).count();
}

std::size_t Trigger::acks_held() const {
  if (!holds_) return 0;
  std::size_t held = 0;
  dispatcher_.for_each_unfinished([&held](const dispatch::DeliveryPtr& delivery) {
    if (delivery->message.qos > 0 && !delivery->acknowledged()) ++held;
  });
  return held;
}

}  // namespace triggerd::trigger
