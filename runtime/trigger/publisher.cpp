#include "trigger/publisher.hpp"

#include <trigger/plugin.h>

#include "config/topic_filter.hpp"

namespace triggerd::trigger {
namespace {

// MQTT 3.1.1, section 2.2.3: the remaining length of a packet.
constexpr std::size_t kMaxPacketBytes = 268'435'455;
constexpr std::size_t kPacketOverhead = 8;  // topic length, packet id, and room to spare

}  // namespace

void Publisher::add(const std::string& alias, std::shared_ptr<mqtt::Connection> connection,
                    std::shared_ptr<outbox::Outbox> outbox) {
  MutexLock lock(mutex_);
  Entry& entry = entries_[alias];
  entry.connection = std::move(connection);
  entry.outbox = std::move(outbox);
}

void Publisher::remove(const std::string& alias) {
  MutexLock lock(mutex_);
  entries_[alias].connection.reset();
}

Publisher::Counts Publisher::counts(std::string_view alias) const {
  MutexLock lock(mutex_);
  const auto found = entries_.find(alias);
  if (found == entries_.end()) return {};
  return {.ok = found->second.counters->ok, .failed = found->second.counters->failed};
}

bool Publisher::speaks_mqtt5(std::string_view alias) const {
  MutexLock lock(mutex_);
  const auto found = entries_.find(alias);
  return found != entries_.end() && found->second.connection &&
         found->second.connection->options().protocol == config::Protocol::v5;
}

std::int32_t Publisher::publish(std::string_view alias, const mqtt::PublishRequest& request,
                                mqtt::PublishDone done) const {
  Entry entry;
  {
    MutexLock lock(mutex_);
    const auto found = entries_.find(alias);
    if (found == entries_.end() || !found->second.connection) return TRIGGER_E_NOT_FOUND;
    entry = found->second;
  }
  const std::int32_t code = publish_on(
      entry, request, [counters = entry.counters, done = std::move(done)](const Result<>& outcome) {
        ++(outcome ? counters->ok : counters->failed);
        done(outcome);
      });
  if (code != TRIGGER_OK) ++entry.counters->failed;
  return code;
}

std::int32_t Publisher::publish_on(const Entry& entry, const mqtt::PublishRequest& request,
                                   mqtt::PublishDone done) {
  if (!config::check_topic_name(request.topic) || request.qos < 0 || request.qos > 2 ||
      request.topic.size() + request.payload.size() > kMaxPacketBytes - kPacketOverhead) {
    return TRIGGER_E_INVALID;
  }
  if (!request.properties.empty()) {
    if (entry.connection->options().protocol != config::Protocol::v5) return TRIGGER_E_UNSUPPORTED;
    if (!mqtt::check_publish_properties(request.properties)) return TRIGGER_E_INVALID;
  }
  const auto sent = entry.outbox && request.qos > 0
                        ? entry.outbox->publish(request, std::move(done))
                        : entry.connection->publish(request, std::move(done));
  if (sent) return TRIGGER_OK;
  switch (sent.error()) {
    case mqtt::PublishError::full:
      return TRIGGER_E_FULL;
    case mqtt::PublishError::not_connected:
      return TRIGGER_E_NOT_CONNECTED;
    case mqtt::PublishError::invalid:
      break;
  }
  return TRIGGER_E_INVALID;
}

}  // namespace triggerd::trigger
