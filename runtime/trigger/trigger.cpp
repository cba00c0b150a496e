#include "trigger/trigger.hpp"

#include <openssl/evp.h>

#include <array>
#include <variant>

#include "base/units.hpp"
#include "mqtt/reason.hpp"
#include "plugin/host/trace_context.hpp"

namespace triggerd::trigger {
namespace {

dispatch::DispatcherOptions options_of(const config::Trigger& config, dispatch::Deaths* deaths) {
  return {.trigger = config.name,
          .concurrency = config.concurrency,
          .order = config.order,
          .queue_capacity = config.queue_capacity,
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

std::string sha256(std::span<const std::uint8_t> bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    return {};
  }
  std::string hex;
  for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

constexpr Millis kBacklogRetry{1'000};
// A service that does not start.
constexpr Backoff kStartAgain{Millis{1'000}, Millis{30'000}, 2.0};
constexpr Millis kStartToldAgain{300'000};
constexpr Millis kNextWindow{1};  // so that others get their turn

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
                [this] { return service_name(); }),
      dead_letters_(config_, services.inbox, services.publisher, services.log),
      acks_(services.timer, [this] { connection_->flush_acknowledgements(); }),
      intake_(home_, dispatcher_, services.inbox, services.ids, services.log),
      dispatcher_(options_of(config, services.deaths), *this, services.timer,
                  services.connections.random) {}

Trigger::~Trigger() {
  // Whatever the library still has to say finds all of this in its place.
  connection_.reset();
}

// ---- Life ----

Result<> Trigger::make_service(const std::shared_ptr<plugin::Generation>& generation,
                               const std::shared_ptr<plugin::Generation>& monitor) {
  auto instance = generation->create(config_, *this);
  if (!instance) return tl::make_unexpected(instance.error());
  Serving serving{.instance = std::move(*instance), .monitor = nullptr};
  if (monitor) {
    auto made = make_monitor(monitor);
    if (!made) return tl::make_unexpected(made.error());
    serving.monitor = std::move(*made);
  }
  serve_with(std::move(serving));
  return {};
}

Result<> Trigger::make_connection(mqtt::ConnectionOptions options) {
  if (config_.retained == config::Retained::once) {
    auto handled = services_.inbox.handled_retained(config_.name);
    if (!handled) return tl::make_unexpected(handled.error());
    MutexLock lock(retained_mutex_);
    for (auto& [topic, digest] : *handled) retained_seen_[topic] = std::move(digest);
  }
  home_.client_id = options.client_id;
  options.hold_acknowledgements = holds_;
  if (auto loaded = intake_.load(); !loaded) return loaded;
  auto state = services_.inbox.trigger_state(config_.name);
  if (!state) return tl::make_unexpected(state.error());
  if (*state) {
    {
      MutexLock lock(state_mutex_);
      state_ = *state;
    }
    const bool disabled = (*state)->state == inbox::TriggerState::State::disabled;
    disabled_ = disabled;
    suspended_ = !disabled;
    dispatcher_.hold();
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
  if (started_) return {};
  auto started = start_service();
  if (started && suspended_) arm_monitor();
  return started;
}

Result<> Trigger::start_service() {
  if (services_.stopping()) return fail("the runtime stops");
  auto started = start_serving(*instance_, monitor().get());
  started_ = started.has_value();
  note_start(started);
  return started;
}

// Of an instance that is left alone, only another build or the next start of the runtime makes
// another one: each of its kind would stay in memory for ever.
void Trigger::note_start(const Result<>& started) {
  serves_ = started.has_value();
  services_.connections.supervisor->post(tasks_([this] { tell_running(); }));
  if (started) {
    start_failures_ = 0;
    MutexLock lock(state_mutex_);
    start_failure_.clear();
    return;
  }
  if (services_.stopping()) return;
  std::string next = "; it is not tried again before another build is loaded, or a restart";
  if (!instance_->abandoned()) {
    const Millis delay = kStartAgain.delay(++start_failures_, services_.connections.random());
    next = fmt::format("; it is tried again in {}", format_duration(delay));
    services_.start_later(*this, delay);
  }
  const std::string reason = "its service did not start: " + started.error().message;
  bool told = false;
  {
    MutexLock lock(state_mutex_);
    const Monotonic now = std::chrono::steady_clock::now();
    told = reason == start_failure_ && now - start_failure_told_ < kStartToldAgain;
    if (!told) start_failure_told_ = now;
    start_failure_ = reason;
  }
  if (told) {
    log_.debug("trigger.not_running", {{"trigger", config_.name}}, "{}{}", reason, next);
  } else {
    log_.error("trigger.not_running", {{"trigger", config_.name}}, "{}{}", reason, next);
  }
}

void Trigger::begin_receiving() {
  services_.connections.supervisor->post(tasks_([this] {
    may_load_ = true;
    apply_pause();
    load_backlog();
  }));
}

// What earlier processes accepted goes before what comes now, as far as memory may hold it; only
// then is there a connection. [supervisor]
void Trigger::load_backlog() {
  if (!may_load_ || backlog_done_ || stopping_) return;
  auto all = intake_.take_backlog(dispatcher_.room());
  if (!all) {
    log_.error("inbox.error", {{"trigger", config_.name}}, "{}", all.error().message);
    services_.connections.supervisor->after(kBacklogRetry, tasks_([this] { load_backlog(); }));
    return;
  }
  if (!*all) {
    // Full, room_changed() goes on. A quick service may have taken all of it already.
    if (!dispatcher_.full()) {
      services_.connections.supervisor->after(kNextWindow, tasks_([this] { load_backlog(); }));
    }
    return;
  }
  backlog_done_ = true;
  connection_->open();
}

void Trigger::stop_receiving() {
  begin_leaving();
  stopping_ = true;
  update_reading();
}

void Trigger::begin_leaving() {
  if (!connection_->options().clean_session) return;
  left_ = false;
  leaving_ = true;
  connection_->leave(tasks_([this] { left_ = true; }));
}

void Trigger::end_leaving() {
  leaving_ = false;
  update_reading();
}

void Trigger::close(std::function<void()> closed) {
  flush_acknowledgements();
  connection_->close(std::move(closed));
}

bool Trigger::drain(Monotonic deadline, Monotonic pause) {
  const bool done = !started_ || dispatcher_.drain(deadline, pause);
  flush_acknowledgements();
  return done;
}

void Trigger::end_tasks() {
  tasks_.end();
  dispatcher_.end_tasks();
  acks_.end_tasks();
}

void Trigger::end_workers() {
  if (started_) instance_->end_workers();
}

void Trigger::join_workers(Monotonic deadline) {
  if (started_) joined_ = instance_->join_workers(deadline);
}

bool Trigger::finish(Monotonic deadline) {
  bool quiet = true;
  // It goes first: its worker has the trigger's name, as those of the service have.
  if (const auto asked = monitor()) quiet = asked->stop(deadline);
  if (std::exchange(started_, false)) {
    dispatcher_.revoke_pending();
    quiet = joined_ && quiet;
    if (joined_) {
      instance_->stop();
    } else {
      log_.error("trigger.stuck", {{"trigger", config_.name}},
                 "a call of service {}:{} has not returned; its plugin is left alone",
                 config_.plugin, service_name());
      instance_->abandon();
    }
  }
  keep_leftovers();
  return destroy_service() && quiet;
}

// Here, and not with everything else of the trigger: what hangs is to be known before the end.
// False: some call of it has not returned, now or before.
bool Trigger::destroy_service() {
  serves_ = false;
  {
    MutexLock lock(monitor_mutex_);
    counting_ = nullptr;
  }
  instance_->destroy();
  const auto asked = monitor();
  if (asked) asked->destroy();
  return !instance_->abandoned() && !(asked && asked->abandoned());
}

// The server has what it has no acknowledgement for, unless it has lost the session; the inbox what
// it has a row of. The rest gets one now, and is handled after the next start.
void Trigger::keep_leftovers() {
  for (const dispatch::DeliveryPtr& delivery : dispatcher_.take_unfinished()) {
    if (const auto number = delivery->number()) {
      services_.writer.note_attempts(*number, delivery->failed);
      continue;
    }
    const bool server_has_it = holds_ && delivery->message.qos > 0 && !delivery->acknowledged() &&
                               !delivery->id_forgotten() && !connection_->options().clean_session;
    if (server_has_it) continue;
    leftovers_.push_back(delivery);
    intake_.keep(delivery);
  }
}

void Trigger::tell_leftovers(bool written) {
  const std::vector<dispatch::DeliveryPtr> kept = std::exchange(leftovers_, {});
  if (written) {
    if (!kept.empty()) {
      log_.info("trigger.leftovers", {{"trigger", config_.name}},
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

// ---- From the connection ----

void Trigger::on_message(mqtt::Message&& message) {
  arrived_.store(arrived() + 1, std::memory_order_relaxed);
  if (message.retained && !retained_is_wanted(message)) {
    intake_.refuse(message);
    return;
  }
  intake_.take(std::move(message));
}

void Trigger::on_refused(mqtt::Message&& message) {
  refused_.fetch_add(1, std::memory_order_relaxed);
  intake_.refuse(message);
}

void Trigger::on_batch_end() {
  intake_.end_batch();
  if (dispatcher_.full() || intake_.overrun()) update_reading();
}

void Trigger::on_pubrel(std::uint16_t packet_id, mqtt::Receipt receipt) {
  intake_.pubrel(packet_id, std::move(receipt));
}

void Trigger::on_session_lost() {
  intake_.session_lost();
}

void Trigger::on_status(const mqtt::ConnectionStatus& status) {
  watch_.note(status);
  status_ = status;
  tell_running();
}

// [supervisor]
void Trigger::tell_running() {
  const mqtt::ConnectionStatus& status = status_;
  const bool running = status.running() && serves_ && !suspended_ && !disabled_;
  std::string because;
  if (disabled_) {
    because = "disabled";
  } else if (suspended_) {
    because = "suspended";
  } else if (!running) {
    because = status.reason.empty() ? std::string(mqtt::to_string(status.state)) : status.reason;
  }
  using State = mqtt::ConnectionStatus::State;
  const bool settled = status.state == State::up || status.state == State::waiting;
  if (running && !running_) {
    log_.info("trigger.running", {{"trigger", config_.name}, {"alias", config_.alias}},
              "{}:{} handles {} filter{}", config_.plugin, service_name(), config_.topics.size(),
              config_.topics.size() == 1 ? "" : "s");
    not_running_because_.clear();
  } else if (!running && settled && serves_ && because != not_running_because_) {
    log_.warn("trigger.not_running", {{"trigger", config_.name}, {"alias", config_.alias}}, "{}",
              because);
    not_running_because_ = because;
  }
  if (running_.exchange(running) != running) services_.running_changed();
}

// A retained message comes again with every SUBSCRIBE; "once" takes each only where it is news.
bool Trigger::retained_is_wanted(const mqtt::Message& message) {
  if (config_.retained == config::Retained::process) return true;
  if (config_.retained == config::Retained::skip) return false;
  std::string digest = sha256(message.payload);
  MutexLock lock(retained_mutex_);
  std::string& seen = retained_seen_[std::string(message.topic)];
  if (seen == digest) return false;
  seen = std::move(digest);
  return true;
}

void Trigger::remember_retained(const dispatch::Delivery& delivery) {
  if (!delivery.message.retained || config_.retained != config::Retained::once) return;
  services_.writer.note_retained(config_.name, delivery.message.topic,
                                 sha256(delivery.message.payload));
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
                        [&](const event::NotBrief&) { acks_.flush(); },  // of messages before it
                        [&](const event::Suspended& e) { on_suspended(e); },
                        [&](const event::ProbeEnded& e) { probe_ended(e.outcome); },
                        [&](const event::HalfOpenEnded& e) { trial_ended(e.handled); },
                        [](const auto&) {}},
             told);
}

void Trigger::on_suspended(const dispatch::event::Suspended& event) {
  using State = inbox::TriggerState;
  suspended_ = true;
  note_attempts(*event.delivery, 0);
  if (auto kept = set_state(State{.state = State::State::suspended,
                                  .changed_by = "on_exhausted",
                                  .reason = event.reason,
                                  .since = system_clock().wall()});
      !kept) {
    log_.error("inbox.error", {{"trigger", config_.name}}, "{}; a restart will not know of it",
               kept.error().message);
  }
  room_changed();
  arm_monitor();
}

void Trigger::note_attempts(const dispatch::Delivery& delivery, std::uint32_t attempts) {
  if (const auto number = delivery.number()) services_.writer.note_attempts(*number, attempts);
}

void Trigger::idle() {
  acks_.flush();
  services_.writer.reconsider();
}

// ---- From the service ----

std::int32_t Trigger::complete(std::uint64_t token, plugin::Answer answer) {
  return dispatcher_.complete(token, std::move(answer));
}

std::int32_t Trigger::extend(std::uint64_t token, std::uint32_t ms) {
  return dispatcher_.extend(token, ms);
}

std::int32_t Trigger::publish(const trigger_publish& request, plugin::PublishDone done) {
  auto properties = dispatch::from_abi({request.properties, request.property_count});
  const std::string_view alias = request.alias.len == 0
                                     ? std::string_view(config_.alias)
                                     : std::string_view(request.alias.ptr, request.alias.len);
  const trigger_message* message = plugin::CurrentMessage::get();
  if (message != nullptr && message->property_count > 0 &&
      services_.publisher.speaks_mqtt5(alias)) {
    const auto trace =
        plugin::inherited_trace(*message, {request.properties, request.property_count});
    for (const mqtt::Property& property : dispatch::from_abi(trace)) properties.push_back(property);
  }
  const mqtt::PublishRequest publish{.topic = {request.topic.ptr, request.topic.len},
                                     .payload = {request.payload.ptr, request.payload.len},
                                     .qos = static_cast<int>(request.qos),
                                     .retained = (request.flags & TRIGGER_PUBLISH_RETAIN) != 0,
                                     .properties = properties,
                                     // Then the attempt that it is part of is over.
                                     .wait_limit = config_.timeout};
  return services_.publisher.publish(alias, publish, [done = std::move(done)](Result<> outcome) {
    if (!done) return;
    if (outcome) {
      done(TRIGGER_OK, {});
    } else {
      // With a code it is the server that does not take it.
      const int code = outcome.error().code;
      done(code == 0                 ? TRIGGER_E_NOT_CONNECTED
           : mqtt::never_taken(code) ? TRIGGER_E_INVALID
                                     : TRIGGER_E_FAILED,
           outcome.error().message);
    }
  });
}

}  // namespace triggerd::trigger
