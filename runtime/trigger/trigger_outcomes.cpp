// Trigger: what the dispatcher says of its messages, and what follows - acknowledgements, log
// lines, dead letters.
#include "base/units.hpp"
#include "plugin/host/trace_context.hpp"
#include "trigger/trigger.hpp"

namespace triggerd::trigger {
namespace {

constexpr unsigned kFlushAfter = 64;
constexpr Millis kFlushWithin{2};
// What is over at once is no news, and what lasts is said again from time to time.
constexpr Millis kOutageTold{5'000};
constexpr Millis kOutageToldAgain{300'000};

}  // namespace

// ---- From the dispatcher ----

// Acknowledgements of messages that finish one after another leave together, soon.
void Trigger::acknowledge(dispatch::Delivery& delivery, bool idle_next) {
  delivery.finish();
  if (!holds_ || delivery.message.qos == 0) return;
  if (++unflushed_ >= kFlushAfter) {
    flush_acknowledgements();
  } else if (!idle_next && !dispatcher_.is_inline_here() && !flush_armed_.exchange(true)) {
    services_.timer.after(kFlushWithin, tasks_([this] {
                            flush_armed_ = false;
                            flush_acknowledgements();
                          }));
  }
}

void Trigger::flush_acknowledgements() {
  if (unflushed_.exchange(0) > 0) connection_->flush_acknowledgements();
}

void Trigger::idle() {
  flush_acknowledgements();
  services_.writer.reconsider();
}

void Trigger::not_brief(Monotonic::duration kept, bool returned) {
  flush_acknowledgements();  // of what was finished before it
  const auto ms = std::chrono::floor<Millis>(kept);
  const std::vector<LogField> fields{{"trigger", config_.name}, {"plugin", config_.plugin}};
  if (returned) {
    log_.warn("trigger.not_brief", fields,
              "{}:{} is said to be brief, and a call of it has kept everything that is received "
              "waiting for {}; its workers call it from now on, until its plugin is loaded anew",
              config_.plugin, service_name(), format_duration(ms));
  } else {
    log_.error("trigger.not_brief", fields,
               "{}:{} is said to be brief, and a call of it has not returned for {}: nothing is "
               "received until it does",
               config_.plugin, service_name(), format_duration(ms));
  }
}

void Trigger::finished(dispatch::Delivery& delivery, bool idle_next) {
  acknowledge(delivery, idle_next);
  remember_retained(delivery);
  if (services_.events.wants_messages())
    tell_message(delivery, "ok", "", delivery.attempts, delivery.took);
  if (!log_.enabled(LogLevel::debug)) return;
  log_.debug("message.ok", fields(delivery), "{}:{} handled \"{}\"", config_.plugin, service_name(),
             delivery.message.topic);
}

void Trigger::will_retry(const dispatch::Delivery& delivery, std::uint32_t attempts, Millis delay,
                         const std::string& reason) {
  log_.warn("message.retry", constant_fields(delivery),
            "{}:{} will get \"{}\" again in {} (attempt {} of {} failed: {})", config_.plugin,
            service_name(), delivery.message.topic, format_duration(delay), attempts,
            config_.retry.max_attempts, reason.empty() ? "no reason given" : reason);
  if (const auto number = delivery.number()) services_.writer.note_attempts(*number, attempts);
  if (services_.events.wants_messages()) tell_message(delivery, "retry", reason, attempts);
}

void Trigger::put_off(const dispatch::Delivery& delivery, std::uint32_t attempt,
                      const std::string& reason) {
  if (services_.events.wants_messages()) tell_message(delivery, "unavailable", reason, attempt);
  if (!log_.enabled(LogLevel::debug)) return;
  log_.debug("message.put_off", constant_fields(delivery), "{}:{} cannot handle \"{}\" now: {}",
             config_.plugin, service_name(), delivery.message.topic, reason);
}

void Trigger::unavailable(const std::string& reason, std::uint32_t failures, Millis next) {
  {
    MutexLock lock(outage_mutex_);
    const Monotonic now = services_.timer.clock().now();
    if (outage_told_ ? now - *outage_told_ < kOutageToldAgain
                     : failures < 2 && next < kOutageTold) {
      return;
    }
    outage_told_ = now;
  }
  log_.warn("trigger.unavailable", {{"trigger", config_.name}},
            "{}:{} says that what it needs is away: {}; its messages wait, and one is tried again "
            "in {}",
            config_.plugin, service_name(), reason, format_duration(next));
}

void Trigger::available(std::uint32_t failures, Monotonic::duration lasted) {
  {
    MutexLock lock(outage_mutex_);
    if (!std::exchange(outage_told_, std::nullopt)) return;
  }
  log_.info("trigger.available", {{"trigger", config_.name}},
            "what its service needs is there again, after {} and {} attempts: its messages go on",
            format_duration(std::chrono::ceil<std::chrono::seconds>(lasted)), failures);
}

bool Trigger::bury(dispatch::Delivery& delivery, const std::string& reason) {
  const mqtt::Message& message = delivery.message;
  const auto number = services_.inbox.add_dead_letter(
      {.message_id = delivery.id,
       .trigger = config_.name,
       .topic = std::string(message.topic),
       .payload = std::string(reinterpret_cast<const char*>(message.payload.data()),
                              message.payload.size()),
       .qos = message.qos,
       .retained = message.retained,
       .reason = reason,
       .attempts = delivery.attempts,
       .received = message.received,
       .died = system_clock().wall(),
       .properties = message.mqtt5 ? std::optional(message.properties) : std::nullopt},
      [&delivery] { return delivery.number(); });
  if (!number) {
    log_.error("dead_letter.failed", fields(delivery), "cannot keep a dead letter: {}",
               number.error().message);
    return false;
  }
  log_.warn("message.dead_letter", fields(delivery), "\"{}\" is dead letter {}: {}", message.topic,
            *number, reason);
  ++dead_letters_;
  if (services_.events.wants_messages()) {
    tell_message(delivery, "reject", reason, delivery.attempts, delivery.took);
  }
  acknowledge(delivery, false);
  remember_retained(delivery);
  publish_dead_letter(delivery);
  return true;
}

void Trigger::publish_dead_letter(const dispatch::Delivery& delivery) {
  if (config_.dead_letter_topic.empty()) return;
  std::vector<mqtt::Property> properties;
  if (connection_->options().protocol == config::Protocol::v5) {
    if (const auto all = mqtt::decode_properties(delivery.message.properties)) {
      properties = mqtt::publishable(*all);
    }
  }
  const mqtt::PublishRequest request{.topic = config_.dead_letter_topic,
                                     .payload = delivery.message.payload,
                                     .qos = 1,
                                     .properties = properties};
  // The server may answer when this trigger is gone.
  const auto failed = [&log = log_, topic = config_.dead_letter_topic, name = config_.name,
                       id = delivery.id](const std::string& why) {
    log.warn("dead_letter.not_published", {{"trigger", name}, {"message", id}},
             "cannot publish a dead letter to \"{}\": {}", topic, why);
  };
  const std::int32_t code =
      services_.publisher.publish(config_.alias, request, [failed](const Result<>& outcome) {
        if (!outcome) failed(outcome.error().message);
      });
  if (code != TRIGGER_OK) {
    failed(code == TRIGGER_E_NOT_CONNECTED ? "the alias is not connected"
                                           : fmt::format("error {}", code));
  }
}

void Trigger::expired(dispatch::Delivery& delivery) {
  acknowledge(delivery, false);
  if (services_.events.wants_messages()) tell_message(delivery, "expired", "", delivery.attempts);
  log_.info("message.expired", fields(delivery),
            "\"{}\" is past its message expiry: dropped without the service",
            delivery.message.topic);
}

void Trigger::discarded(dispatch::Delivery& delivery, const std::string& reason) {
  acknowledge(delivery, false);
  if (services_.events.wants_messages()) {
    tell_message(delivery, "discarded", reason, delivery.attempts, delivery.took);
  }
  remember_retained(delivery);
  log_.warn("message.discarded", fields(delivery), "\"{}\" is discarded, as on_exhausted says: {}",
            delivery.message.topic, reason);
}

void Trigger::suspended(const dispatch::Delivery& delivery, const std::string& reason) {
  if (dispatcher_.is_inline_here()) {  // which is not to wait for the disk
    services_.timer.post(
        tasks_([this, kept = delivery.shared_from_this(), reason] { suspended(*kept, reason); }));
    return;
  }
  if (const auto number = delivery.number()) services_.writer.note_attempts(*number, 0);
  if (!state_.suspend("on_exhausted", reason)) return;
  log_.error("trigger.suspended", constant_fields(delivery),
             "suspended, as on_exhausted says; one message is tried every {}: {}",
             format_duration(config_.monitor_interval), reason);
  if (auto stored = state_.store(); !stored) {
    log_.error("inbox.error", {{"trigger", config_.name}}, "{}; a restart will not know of it",
               stored.error().message);
    store_state_later();
  }
  room_changed();
  recovery_.arm();
}

void Trigger::overdue(const dispatch::Delivery& delivery) {
  if (const auto number = delivery.number()) {
    services_.writer.note_attempts(*number, delivery.failed);  // whether or not it ever returns
  }
  log_.error("message.overdue", constant_fields(delivery), "{}:{} has not returned within {}; {}",
             config_.plugin, service_name(), format_duration(config_.timeout),
             config_.isolation == config::Isolation::process ? "its worker process is ended"
                                                             : "its place is taken until it does");
}

void Trigger::stalled(std::size_t late_attempts) {
  log_.error("trigger.stalled", {{"trigger", config_.name}},
             "{}:{} never completed {} attempts it called pending; nothing more is handed to it "
             "until it does",
             config_.plugin, service_name(), late_attempts);
}

// For `tail`: only made where somebody listens. `took`: where the message does not go on, for what
// does is somebody else's by now.
void Trigger::tell_message(const dispatch::Delivery& delivery, const char* verdict,
                           const std::string& reason, std::uint32_t attempt,
                           std::optional<Monotonic::duration> took) {
  const mqtt::Message& message = delivery.message;
  management::AdminEvent event;
  event.kind = std::string_view(verdict) == "reject" ? "dead_letter" : "message";
  event.trigger = config_.name;
  event.alias = config_.alias;
  event.plugin = config_.plugin;
  event.text = reason;
  event.message_id = delivery.id;
  event.topic = message.topic;
  event.payload.assign(reinterpret_cast<const char*>(message.payload.data()),
                       std::min(message.payload.size(), management::kMaxEventPayload));
  event.payload_size = message.payload.size();
  event.qos = message.qos;
  event.verdict = verdict;
  event.attempt = attempt;
  if (took) event.seconds = std::chrono::duration<double>(*took).count();
  services_.events.tell(std::move(event));
}

std::vector<LogField> Trigger::fields(const dispatch::Delivery& delivery) const {
  std::vector<LogField> fields = constant_fields(delivery);
  fields.push_back({"attempts", std::to_string(delivery.attempts)});
  return fields;
}

std::vector<LogField> Trigger::constant_fields(const dispatch::Delivery& delivery) const {
  std::vector<LogField> fields{{"trigger", config_.name}, {"message", delivery.id}};
  if (delivery.properties) {
    const std::string_view trace = plugin::trace_id(delivery.properties->list());
    if (!trace.empty()) fields.push_back({"trace_id", std::string(trace)});
  }
  return fields;
}

}  // namespace triggerd::trigger
