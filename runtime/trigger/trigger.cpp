#include "trigger/trigger.hpp"

#include <openssl/evp.h>

#include <array>

#include "base/text.hpp"
#include "base/units.hpp"
#include "config/topic_filter.hpp"

namespace triggerd::trigger {
namespace {

DispatcherOptions options_of(const config::Trigger& config) {
  return {.trigger = config.name,
          .concurrency = config.concurrency,
          .order = config.order,
          .queue_capacity = config.queue_capacity,
          .timeout = config.timeout,
          .retry = config.retry,
          .on_exhausted = config.on_exhausted};
}

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

}  // namespace

Trigger::Trigger(const config::Trigger& config, const TriggerServices& services)
    : config_(config),
      services_(services),
      log_(services.log),
      dispatcher_(options_of(config), *this, services.timer, services.ids,
                  services.connections.random) {}

Trigger::~Trigger() = default;

// ---- Life ----

Result<> Trigger::prepare(const std::shared_ptr<plugin::Generation>& generation,
                          mqtt::ConnectionOptions options) {
  generation_ = generation;
  auto instance = generation->create(config_, *this);
  if (!instance) return tl::make_unexpected(instance.error());
  instance_ = std::move(*instance);
  if (config_.retained == config::Retained::once) {
    auto handled = services_.inbox.handled_retained(config_.name);
    if (!handled) return tl::make_unexpected(handled.error());
    MutexLock lock(retained_mutex_);
    for (auto& [topic, digest] : *handled) retained_seen_[topic] = std::move(digest);
  }
  auto connection = mqtt::Connection::make(services_.connections, std::move(options), *this);
  if (!connection) return tl::make_unexpected(connection.error());
  connection_ = std::move(*connection);
  return {};
}

Result<> Trigger::start() {
  if (auto started = instance_->start(); !started) return started;
  started_ = true;
  if (auto running = instance_->run_workers(dispatcher_, config_.concurrency); !running) {
    return running;
  }
  connection_->open();
  return {};
}

void Trigger::close(std::function<void()> closed) {
  connection_->close(std::move(closed));
}

void Trigger::drain(Monotonic deadline) {
  if (started_) (void)dispatcher_.drain(deadline);
}

bool Trigger::finish(Monotonic deadline) {
  bool quiet = true;
  if (started_) {
    quiet = instance_->join_workers(deadline);
    dispatcher_.revoke_pending();
    if (quiet) {
      instance_->stop();
    } else {
      log_.error("trigger.stuck", {{"trigger", config_.name}},
                 "a call of service {}:{} has not returned; its plugin is left alone",
                 config_.plugin, instance_->service_name());
      instance_->abandon();
    }
  }
  for (const DeliveryPtr& delivery : dispatcher_.take_leftovers()) {
    std::string reason = delivery->attempts == 0 ? "the runtime stopped before it was handled"
                                                 : "the runtime stopped before its next attempt";
    if (!delivery->last_reason.empty()) reason += ": " + delivery->last_reason;
    if (!bury(*delivery, reason)) {
      log_.error("message.lost", fields(*delivery), "message on \"{}\" is lost: {}",
                 delivery->message.topic, reason);
    }
  }
  return quiet;
}

// ---- From the connection ----

void Trigger::on_message(mqtt::Message message) {
  if (message.retained && !retained_is_wanted(message)) return;
  dispatcher_.accept(std::move(message));
}

void Trigger::on_status(const mqtt::ConnectionStatus& status) {
  const bool running = status.running() && !suspended_;
  std::string because;
  if (suspended_) {
    because = "suspended";
  } else if (!running) {
    because = status.reason.empty() ? std::string(mqtt::to_string(status.state)) : status.reason;
  }
  using State = mqtt::ConnectionStatus::State;
  const bool settled = status.state == State::up || status.state == State::waiting;
  if (running && !running_) {
    log_.info("trigger.running", {{"trigger", config_.name}, {"alias", config_.alias}},
              "{}:{} handles {} filter{}", config_.plugin, instance_->service_name(),
              config_.topics.size(), config_.topics.size() == 1 ? "" : "s");
    not_running_because_.clear();
  } else if (!running && settled && because != not_running_because_) {
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

void Trigger::remember_retained(const Delivery& delivery) {
  if (!delivery.message.retained || config_.retained != config::Retained::once) return;
  const auto kept = services_.inbox.set_handled_retained(config_.name, delivery.message.topic,
                                                         sha256(delivery.message.payload));
  if (!kept) {
    log_.warn("inbox.error", fields(delivery), "{}; the retained message may be handled again",
              kept.error().message);
  }
}

// Full or suspended: this connection alone stops, and its session at the server keeps what comes.
void Trigger::apply_pause() {
  const bool full = dispatcher_.full();
  const bool pause = full || suspended_;
  if (pause == paused_) return;
  paused_ = pause;
  if (!pause) {
    log_.info("trigger.resumed", {{"trigger", config_.name}}, "receiving again");
    connection_->resume();
    return;
  }
  log_.warn("trigger.paused", {{"trigger", config_.name}}, "receiving pauses: {}{}",
            full ? fmt::format("queue_capacity ({}) is reached", config_.queue_capacity)
                 : "the trigger is suspended",
            connection_->options().clean_session
                ? "; what is published meanwhile is missed, since the session is clean"
                : "; the server keeps what is published meanwhile");
  connection_->pause(full ? "paused: queue_capacity is reached" : "suspended");
}

void Trigger::room_changed() {
  // Two changes may be told in either order; what holds is asked where they are applied.
  services_.connections.supervisor->post([this] { apply_pause(); });
}

// ---- From the service ----

std::int32_t Trigger::complete(std::uint64_t token, plugin::Answer answer) {
  return dispatcher_.complete(token, std::move(answer));
}

std::int32_t Trigger::extend(std::uint64_t token, std::uint32_t ms) {
  return dispatcher_.extend(token, ms);
}

std::int32_t Trigger::publish(const trigger_publish& request, plugin::PublishDone done) {
  if (request.property_count > 0) return TRIGGER_E_UNSUPPORTED;  // every alias speaks 3.1.1
  const std::string_view alias = request.alias.len == 0
                                     ? std::string_view(config_.alias)
                                     : std::string_view(request.alias.ptr, request.alias.len);
  const mqtt::PublishRequest publish{.topic = {request.topic.ptr, request.topic.len},
                                     .payload = {request.payload.ptr, request.payload.len},
                                     .qos = static_cast<int>(request.qos),
                                     .retained = (request.flags & TRIGGER_PUBLISH_RETAIN) != 0};
  return services_.publisher.publish(alias, publish, [done = std::move(done)](Result<> outcome) {
    if (!done) return;
    done(outcome ? TRIGGER_OK : TRIGGER_E_NOT_CONNECTED,
         outcome ? std::string() : outcome.error().message);
  });
}

// ---- From the dispatcher ----

void Trigger::finished(const Delivery& delivery) {
  remember_retained(delivery);
  if (!log_.enabled(LogLevel::debug)) return;
  log_.debug("message.ok", fields(delivery), "{}:{} handled \"{}\"", config_.plugin,
             instance_->service_name(), delivery.message.topic);
}

void Trigger::will_retry(const Delivery& delivery, std::uint32_t attempts, Millis delay,
                         const std::string& reason) {
  log_.warn("message.retry", {{"trigger", config_.name}, {"message", delivery.id}},
            "{}:{} will get \"{}\" again in {} (attempt {} of {} failed: {})", config_.plugin,
            instance_->service_name(), delivery.message.topic, format_duration(delay), attempts,
            config_.retry.max_attempts, reason.empty() ? "no reason given" : reason);
}

bool Trigger::bury(const Delivery& delivery, const std::string& reason) {
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
       .died = std::chrono::system_clock::now()});
  if (!number) {
    log_.error("dead_letter.failed", fields(delivery), "cannot keep a dead letter: {}",
               number.error().message);
    return false;
  }
  log_.warn("message.dead_letter", fields(delivery), "\"{}\" is dead letter {}: {}", message.topic,
            *number, reason);
  remember_retained(delivery);
  publish_dead_letter(delivery);
  return true;
}

void Trigger::publish_dead_letter(const Delivery& delivery) {
  if (config_.dead_letter_topic.empty()) return;
  const mqtt::PublishRequest request{
      .topic = config_.dead_letter_topic, .payload = delivery.message.payload, .qos = 1};
  const auto failed = [this, fields = fields(delivery)](const std::string& why) {
    log_.warn("dead_letter.not_published", fields, "cannot publish a dead letter to \"{}\": {}",
              config_.dead_letter_topic, why);
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

void Trigger::discarded(const Delivery& delivery, const std::string& reason) {
  remember_retained(delivery);
  log_.warn("message.discarded", fields(delivery), "\"{}\" is discarded, as on_exhausted says: {}",
            delivery.message.topic, reason);
}

void Trigger::suspended(const Delivery& delivery, const std::string& reason) {
  suspended_ = true;
  log_.error("trigger.suspended", {{"trigger", config_.name}, {"message", delivery.id}},
             "suspended, as on_exhausted says, until the runtime is started again: {}", reason);
  room_changed();
}

void Trigger::overdue(const Delivery& delivery) {
  log_.error("message.overdue", {{"trigger", config_.name}, {"message", delivery.id}},
             "{}:{} has not returned within {}; its place is taken until it does", config_.plugin,
             instance_->service_name(), format_duration(config_.timeout));
}

void Trigger::stalled(std::size_t late_attempts) {
  log_.error("trigger.stalled", {{"trigger", config_.name}},
             "{}:{} never completed {} attempts it called pending; nothing more is handed to it "
             "until it does",
             config_.plugin, instance_->service_name(), late_attempts);
}

std::vector<LogField> Trigger::fields(const Delivery& delivery) const {
  return {{"trigger", config_.name},
          {"message", delivery.id},
          {"attempts", std::to_string(delivery.attempts)}};
}

}  // namespace triggerd::trigger
