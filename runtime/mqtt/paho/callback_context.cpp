#include "mqtt/paho/callback_context.hpp"

// What the layer under Paho has taken of a connection becomes messages. Paho's receive thread,
// without Paho's lock.
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "base/clock.hpp"
#include "mqtt/packet/properties.hpp"

namespace triggerd::mqtt {
namespace {

void free_both(void* first, void* second) {
  std::free(first);
  std::free(second);
}

// Its topic where that is the one of a topic alias.
std::string_view keep_topic(std::string_view topic, void*& memory) {
  auto* const copy = static_cast<char*>(std::malloc(topic.size() + 1));
  if (copy == nullptr) throw std::bad_alloc();
  std::memcpy(copy, topic.data(), topic.size());
  copy[topic.size()] = '\0';
  memory = copy;
  return {copy, topic.size()};
}

// The topic alias is taken out, as it means nothing elsewhere, and what it stands for is found.
void take_properties(CallbackContext& callbacks, const wire::Taken& from, Message& message) {
  if (from.facts.expiry) {
    // A server rounds what is left down to seconds; so 0 is not over yet.
    message.expires = callbacks.clock.now() +
                      std::chrono::seconds(std::max<std::uint64_t>(*from.facts.expiry, 1));
  }
  if (!from.facts.topic_alias) {
    message.properties = from.properties;
    return;
  }
  const auto properties = decode_properties(from.properties);
  if (!properties) return;  // it was checked
  for (const Property& one : *properties) {
    if (one.id != property::kTopicAlias) encode_property(message.properties, one);
  }
  const auto topic = callbacks.aliases.resolve(*from.facts.topic_alias, message.topic);
  if (topic) message.topic = *topic;
}

Message message_of(CallbackContext& callbacks, wire::Link& link, const wire::Taken& from) {
  Message message{
      .buffers = {},
      .topic = from.topic,
      .payload = {reinterpret_cast<const std::uint8_t*>(from.payload.data()), from.payload.size()},
      .qos = from.qos,
      .retained = from.retained,
      .dup = from.dup,
      .packet_id = from.packet_id,
      .mqtt5 = callbacks.v5,
      .received = callbacks.batch_time,
      .receipt = {}};
  if (!from.properties.empty()) take_properties(callbacks, from, message);
  if (from.memory != nullptr) {
    void* topic = nullptr;
    if (from.topic.empty()) message.topic = keep_topic(message.topic, topic);
    message.buffers = Buffers(from.memory, topic, &free_both);
  }
  if (callbacks.hold && from.qos > 0) {
    const auto kind = from.qos == 1 ? wire::AckKind::puback : wire::AckKind::pubrec;
    message.receipt = Receipt(link.shared_from_this(), kind, from.ticket);
  }
  return message;
}

}  // namespace

void CallbackContext::on_link(const std::shared_ptr<wire::Link>& made) {
  std::shared_ptr<wire::Link> before;
  MutexLock lock(link_mutex);
  before = std::exchange(link, made);
  if (reading_paused) made->pause();
}

void CallbackContext::on_packets(wire::Link& from, std::span<const wire::Taken> packets) {
  // What came together was received at one time.
  if (batch_time == Wall{}) batch_time = clock.wall();
  MutexLock lock(mutex);
  for (const wire::Taken& packet : packets) {
    if (packet.kind == wire::Taken::Kind::pubrel) {
      Receipt receipt;
      if (hold) receipt = Receipt(from.shared_from_this(), wire::AckKind::pubcomp, packet.ticket);
      if (messages != nullptr) messages->on_pubrel(packet.packet_id, std::move(receipt));
      continue;
    }
    Message message = message_of(*this, from, packet);
    if (messages == nullptr) continue;
    if (packet.kind == wire::Taken::Kind::too_large) {
      events->on_too_large(std::move(message), packet.size);
    } else {
      messages->on_message(std::move(message));
    }
  }
}

void CallbackContext::on_answers(std::vector<PublishAnswer> answers) {
  tell([&](ClientEvents& told) { told.on_answers(attempt, std::move(answers)); });
}

void CallbackContext::on_batch_end() {
  batch_time = {};
  MutexLock lock(mutex);
  if (messages != nullptr) messages->on_batch_end();
}

}  // namespace triggerd::mqtt
