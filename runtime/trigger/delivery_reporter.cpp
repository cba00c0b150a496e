#include "trigger/delivery_reporter.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/units.hpp"
#include "config/trigger.hpp"
#include "plugin/host/trace_context.hpp"

namespace triggerd::trigger {
namespace {

// An outage that is over at once is no news; one that lasts is reported again from time to time.
constexpr Millis kOutageTold{5'000};
constexpr Millis kOutageToldAgain{300'000};

}  // namespace

DeliveryReporter::DeliveryReporter(const config::Trigger& config, Log& log,
                                   management::EventBus& events, const Clock& clock,
                                   std::function<std::string()> service_name)
    : config_(config),
      log_(log),
      events_(events),
      clock_(clock),
      service_name_(std::move(service_name)) {}

// ---- The message is done with ----

void DeliveryReporter::finished(const dispatch::Delivery& delivery) const {
  const bool filtered = delivery.lot == dispatch::Delivery::Lot::filtered;
  if (events_.wants_messages()) {
    tell(delivery, filtered ? "filtered" : "ok", "", delivery.attempts, delivery.took);
  }
  if (!log_.enabled(LogLevel::debug)) return;
  if (filtered) {
    log_.debug("message.filtered", fields(delivery), "\"{}\" is not for {}", delivery.message.topic,
               service());
    return;
  }
  log_.debug("message.ok", fields(delivery), "{} handled \"{}\"", service(),
             delivery.message.topic);
}

void DeliveryReporter::dead_letter(const dispatch::Delivery& delivery, std::int64_t number,
                                   const std::string& reason) const {
  log_.warn("message.dead_letter", fields(delivery), "\"{}\" is dead letter {}: {}",
            delivery.message.topic, number, reason);
  if (events_.wants_messages()) tell(delivery, "reject", reason, delivery.attempts, delivery.took);
}

void DeliveryReporter::dead_letter_failed(const dispatch::Delivery& delivery,
                                          const std::string& why) const {
  log_.error("dead_letter.failed", fields(delivery),
             "cannot write the dead letter, and will try again: {}", why);
}

void DeliveryReporter::lost(const dispatch::Delivery& delivery, const std::string& why) const {
  log_.error("message.lost", fields(delivery), "message on \"{}\" is lost: {}",
             delivery.message.topic, why);
}

// ---- Events ----

void DeliveryReporter::report(const dispatch::DispatchEvent& event) {
  std::visit(*this, event);
}

void DeliveryReporter::operator()(const dispatch::event::Retrying& event) const {
  const dispatch::Delivery& delivery = *event.delivery;
  log_.warn("message.retry", constant_fields(delivery),
            "{} will get \"{}\" again in {} (attempt {} of {} failed: {})", service(),
            delivery.message.topic, format_duration(event.delay), event.attempts,
            config_.retry.max_attempts, event.reason.empty() ? "no reason given" : event.reason);
  if (events_.wants_messages()) tell(delivery, "retry", event.reason, event.attempts);
}

void DeliveryReporter::operator()(const dispatch::event::PutOff& event) const {
  const dispatch::Delivery& delivery = *event.delivery;
  if (events_.wants_messages()) tell(delivery, "unavailable", event.reason, event.attempt);
  if (!log_.enabled(LogLevel::debug)) return;
  log_.debug("message.deferred", constant_fields(delivery), "{} cannot handle \"{}\" now: {}",
             service(), delivery.message.topic, event.reason);
}

void DeliveryReporter::operator()(const dispatch::event::Unavailable& event) {
  {
    MutexLock lock(mutex_);
    const Monotonic now = clock_.now();
    if (outage_told_ ? now - *outage_told_ < kOutageToldAgain
                     : event.failures < 2 && event.next < kOutageTold) {
      return;
    }
    outage_told_ = now;
  }
  log_.warn("trigger.unavailable", {{"trigger", config_.name}},
            "{} reports that what it needs is unavailable: {}; its messages wait, and one is tried "
            "again in {}",
            service(), event.reason, format_duration(event.next));
}

void DeliveryReporter::operator()(const dispatch::event::Available& event) {
  {
    MutexLock lock(mutex_);
    if (!std::exchange(outage_told_, std::nullopt)) return;
  }
  log_.info(
      "trigger.available", {{"trigger", config_.name}},
      "what its service needs is available again after {} and {} attempts; its messages go on",
      format_duration(std::chrono::ceil<std::chrono::seconds>(event.lasted)), event.failures);
}

void DeliveryReporter::operator()(const dispatch::event::Discarded& event) const {
  const dispatch::Delivery& delivery = *event.delivery;
  if (events_.wants_messages()) {
    tell(delivery, "discarded", event.reason, delivery.attempts, delivery.took);
  }
  log_.warn("message.discarded", fields(delivery),
            "\"{}\" is discarded (on_exhausted = \"discard\"): {}", delivery.message.topic,
            event.reason);
}

void DeliveryReporter::operator()(const dispatch::event::Expired& event) const {
  const dispatch::Delivery& delivery = *event.delivery;
  if (events_.wants_messages()) tell(delivery, "expired", "", delivery.attempts);
  log_.info("message.expired", fields(delivery),
            "\"{}\" is past its message expiry: dropped without calling the service",
            delivery.message.topic);
}

void DeliveryReporter::operator()(const dispatch::event::Duplicate& event) const {
  const dispatch::Delivery& delivery = *event.delivery;
  if (events_.wants_messages()) tell(delivery, "duplicate", "", delivery.attempts);
  if (!log_.enabled(LogLevel::debug)) return;
  log_.debug("message.duplicate", fields(delivery),
             "\"{}\": a message with its key was handled within {}", delivery.message.topic,
             format_duration(config_.deduplicate->window));
}

void DeliveryReporter::operator()(const dispatch::event::TooManyKeys&) const {
  log_.warn("trigger.keys", {{"trigger", config_.name}},
            "more than {} messages are handled within {}: the oldest keys are forgotten before "
            "their time, so that a message that comes again late is handled again; deduplicate.max "
            "is too low, or window too long",
            config_.deduplicate->max, format_duration(config_.deduplicate->window));
}

void DeliveryReporter::operator()(const dispatch::event::Suspended& event) const {
  log_.error("trigger.suspended", constant_fields(*event.delivery),
             "suspended (on_exhausted = \"suspend\"); one message is tried every {}: {}",
             format_duration(config_.monitor_interval), event.reason);
}

void DeliveryReporter::operator()(const dispatch::event::Overrunning& event) const {
  log_.error("message.overdue", constant_fields(*event.delivery),
             "{} has not returned within {}; {}", service(), format_duration(config_.timeout),
             config_.isolation == config::Isolation::process
                 ? "its worker process is ended"
                 : "it keeps a worker busy until it does");
}

void DeliveryReporter::operator()(const dispatch::event::Stalled& event) const {
  log_.error(
      "trigger.stalled", {{"trigger", config_.name}},
      "{} has not completed {} attempts that it left pending; it gets no more messages until "
      "it does",
      service(), event.attempts);
}

void DeliveryReporter::operator()(const dispatch::event::NotBrief& event) const {
  const std::string kept = format_duration(std::chrono::floor<Millis>(event.kept));
  const std::vector<LogField> fields{{"trigger", config_.name}, {"plugin", config_.plugin}};
  if (event.returned) {
    log_.warn(
        "trigger.not_brief", fields,
        "{} is declared brief, but a call of it blocked all receiving for {}; from now on its "
        "workers call it, until its plugin is reloaded",
        service(), kept);
  } else {
    log_.error(
        "trigger.not_brief", fields,
        "{} is declared brief, but a call of it has not returned for {}: nothing is received "
        "until it does",
        service(), kept);
  }
}

// ---- What lines and events are made of ----

std::string DeliveryReporter::service() const {
  return config_.plugin + ":" + service_name_();
}

std::vector<LogField> DeliveryReporter::constant_fields(const dispatch::Delivery& delivery) const {
  std::vector<LogField> fields{{"trigger", config_.name}, {"message", delivery.id}};
  if (delivery.properties) {
    const std::string_view trace = plugin::trace_id(delivery.properties->list());
    if (!trace.empty()) fields.push_back({"trace_id", std::string(trace)});
  }
  return fields;
}

std::vector<LogField> DeliveryReporter::fields(const dispatch::Delivery& delivery) const {
  std::vector<LogField> fields = constant_fields(delivery);
  fields.push_back({"attempts", std::to_string(delivery.attempts)});
  return fields;
}

void DeliveryReporter::tell(const dispatch::Delivery& delivery, const char* verdict,
                            const std::string& reason, std::uint32_t attempt,
                            std::optional<Monotonic::duration> took) const {
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
  events_.publish(std::move(event));
}

}  // namespace triggerd::trigger
