#include "offline/offline_host.hpp"

#include <fmt/format.h>
#include <trigger/mqtt5.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.hpp"
#include "base/units.hpp"

namespace triggerctl {
namespace {

using triggerd::MutexLock;

trigger_str str(const std::string& text) {
  return {text.c_str(), text.size()};
}
trigger_bytes bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
std::string text_of(trigger_str text) {
  return text.len == 0 ? std::string() : std::string(text.ptr, text.len);
}
std::string text_of(trigger_bytes text) {
  return text.len == 0 ? std::string()
                       : std::string(reinterpret_cast<const char*>(text.ptr), text.len);
}

// "payload", or "payload_hex" if it is not text.
void put_payload(Json& json, const std::string& payload) {
  if (triggerd::is_utf8(payload)) {
    json["payload"] = payload;
    return;
  }
  std::string hex;
  for (const char byte : payload) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  json["payload_hex"] = hex;
}

const char* verdict_name(std::int32_t code) {
  switch (code) {
    case TRIGGER_OK:
      return "ok";
    case TRIGGER_REJECT:
      return "reject";
    case TRIGGER_UNAVAILABLE:
      return "unavailable";
    default:
      return "retry";
  }
}

std::int64_t wall_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

void EventLog::write(triggerd::LogLevel level, std::string_view event, triggerd::LogFields,
                     std::string_view text) {
  const bool its_own = event == "plugin.log";
  if (!its_own && level < triggerd::LogLevel::warn) return;
  Json line{{"event", "log"}, {"level", std::string(to_string(level))}};
  if (!its_own) line["of"] = std::string(event);
  line["text"] = std::string(text);
  events_.send(line);
}

OfflineHost::OfflineHost(Events& events, OfflineMessage message, Millis timeout)
    : events_(events), options_(std::move(message)), timeout_(timeout) {
  lay_out_properties();
}

void OfflineHost::lay_out_properties() {
  const auto add = [this](std::uint32_t id, const std::string& name, const std::string& value) {
    properties_.push_back(
        {.id = id, .reserved = 0, .number = 0, .name = str(name), .value = bytes(value)});
  };
  static const std::string none;
  if (!options_.content_type.empty()) {
    add(TRIGGER_PROPERTY_CONTENT_TYPE, none, options_.content_type);
  }
  if (!options_.response_topic.empty()) {
    add(TRIGGER_PROPERTY_RESPONSE_TOPIC, none, options_.response_topic);
  }
  for (const auto& [name, value] : options_.user_properties) {
    add(TRIGGER_PROPERTY_USER, name, value);
  }
}

bool OfflineHost::try_message(std::uint32_t number) {
  static const std::string trigger = "offline";
  const auto began = std::chrono::steady_clock::now();
  const MutexLock lock(mutex_);
  id_ = fmt::format("offline-{}", number);
  deadline_ = began + timeout_;
  token_ = number;
  verdict_.reset();
  pending_ = false;
  message_ = {};
  message_.struct_size = sizeof message_;
  message_.flags = (options_.retain ? TRIGGER_MESSAGE_RETAIN : 0U) |
                   (properties_.empty() ? 0U : TRIGGER_MESSAGE_MQTT5);
  message_.token = number;
  message_.id = str(id_);
  message_.topic = str(options_.topic);
  message_.trigger = str(trigger);
  message_.payload = bytes(options_.payload);
  message_.received_unix_ns = wall_ns();
  message_.deadline_mono_ns = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(deadline_.time_since_epoch()).count());
  message_.properties = properties_.data();
  message_.property_count = properties_.size();
  message_.attempt = options_.attempt;
  message_.qos = options_.qos;
  offered_ = in_service_ = true;
  changed_.notify_all();
  while ((!verdict_ || in_service_) && std::chrono::steady_clock::now() < deadline_) {
    changed_.wait_until(mutex_, deadline_);
  }
  token_ = 0;
  Json event{{"event", "verdict"}};
  if (!verdict_ || in_service_) {
    event["verdict"] = "timeout";
    event["reason"] = fmt::format(
        "{} within {}",
        in_service_ ? "handle has not returned" : "the pending message was not completed",
        triggerd::format_duration(timeout_));
    events_.send(event);
    return false;
  }
  const bool again = verdict_->code == TRIGGER_RETRY || verdict_->code == TRIGGER_UNAVAILABLE;
  const bool known = again || verdict_->code == TRIGGER_OK || verdict_->code == TRIGGER_REJECT;
  event["verdict"] = verdict_name(verdict_->code);
  event["reason"] =
      known ? verdict_->reason
            : fmt::format("the service returned {}, which is not a verdict", verdict_->code);
  if (again && verdict_->retry_after_ms > 0) {
    event["retry_after_ms"] = verdict_->retry_after_ms;
  }
  if (pending_) event["pending"] = true;
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
  event["ms"] = static_cast<double>(static_cast<std::int64_t>(took.count() * 1000)) / 1000;
  events_.send(event);
  return true;
}

bool OfflineHost::quiet() {
  const MutexLock lock(mutex_);
  return !in_service_;
}

std::int32_t OfflineHost::complete(std::uint64_t token, triggerd::plugin::Answer answer) {
  const MutexLock lock(mutex_);
  if (token == 0 || token != token_ || verdict_) return TRIGGER_E_STALE;
  pending_ = true;
  verdict_ = std::move(answer);
  changed_.notify_all();
  return TRIGGER_OK;
}

std::int32_t OfflineHost::extend(std::uint64_t token, std::uint32_t ms) {
  const MutexLock lock(mutex_);
  if (token == 0 || token != token_ || verdict_) return TRIGGER_E_STALE;
  deadline_ = std::chrono::steady_clock::now() + Millis(ms);
  changed_.notify_all();
  return TRIGGER_OK;
}

std::int32_t OfflineHost::publish(const trigger_publish& request,
                                  triggerd::plugin::PublishDone done) {
  Json event{{"event", "publish"}};
  if (request.alias.len > 0) event["alias"] = text_of(request.alias);
  event["topic"] = text_of(request.topic);
  event["qos"] = request.qos;
  event["retain"] = (request.flags & TRIGGER_PUBLISH_RETAIN) != 0;
  put_payload(event, text_of(request.payload));
  for (std::size_t i = 0; i < request.property_count; ++i) {
    const trigger_property& property = request.properties[i];
    Json one{{"id", property.id}};
    if (property.name.len > 0) one["name"] = text_of(property.name);
    if (property.value.len > 0) one["value"] = text_of(property.value);
    if (property.number > 0) one["number"] = property.number;
    event["properties"].push_back(one);
  }
  events_.send(event);
  if (done) done(TRIGGER_OK, "");
  return TRIGGER_OK;
}

const trigger_message* OfflineHost::take(std::stop_token stop) {
  const std::stop_callback wake_up(stop, [this] {
    const MutexLock lock(mutex_);
    changed_.notify_all();
  });
  const MutexLock lock(mutex_);
  while (!offered_) {
    if (stop.stop_requested()) return nullptr;
    changed_.wait(mutex_);
  }
  offered_ = false;
  return &message_;
}

void OfflineHost::answered(const trigger_message&, triggerd::plugin::Answer answer) {
  const MutexLock lock(mutex_);
  in_service_ = false;
  if (answer.code == TRIGGER_PENDING) {
    pending_ = true;
  } else if (!verdict_) {
    verdict_ = std::move(answer);
  }
  changed_.notify_all();
}

}  // namespace triggerctl
