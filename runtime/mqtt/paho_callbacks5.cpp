// Paho's callbacks for MQTT 5. Paho's threads, most of them with Paho's mutex held.
#include <algorithm>
#include <cstring>

#include "mqtt/paho_hook.hpp"
#include "mqtt/paho_properties.hpp"
#include "mqtt/reason.hpp"

namespace triggerd::mqtt {
namespace {

std::string said(const MQTTProperties& properties) {
  return text_of(properties, property::kReasonString);
}

std::string library_text(const MQTTAsync_failureData5& data) {
  if (data.message != nullptr) return data.message;
  const char* text = MQTTAsync_strerror(data.code);
  return text == nullptr ? "the MQTT library failed" : text;
}

// The answers to a SUBSCRIBE or UNSUBSCRIBE of call.filters filters.
template <class List>
std::vector<int> codes_of(const Call& call, const List& list, int only) {
  if (call.filters == 1) return {only};
  std::vector<int> codes;
  for (int i = 0; i < list.reasonCodeCount && list.reasonCodes != nullptr; ++i) {
    codes.push_back(list.reasonCodes[i]);
  }
  return codes;
}

}  // namespace

// ---- Connecting ----

void connect_succeeded5(void* context, MQTTAsync_successData5* data) {
  const auto call = take_call(context);
  const MQTTProperties& properties = data->properties;
  Welcome welcome{.session_present = data->alt.connect.sessionPresent != 0};
  if (const auto seconds = number_of(properties, property::kSessionExpiry)) {
    welcome.session_expiry = std::chrono::seconds(*seconds);
  }
  if (const auto seconds = number_of(properties, property::kServerKeepAlive)) {
    welcome.keep_alive = std::chrono::seconds(*seconds);
  }
  if (const auto most = number_of(properties, property::kReceiveMaximum)) {
    welcome.receive_maximum = static_cast<std::uint16_t>(*most);
  }
  Hook& hook = call->hook;
  hook.aliases.clear();
  {
    MutexLock lock(hook.link_mutex);
    hook.limits = {
        .qos = static_cast<int>(number_of(properties, property::kMaximumQos).value_or(2)),
        .retained = number_of(properties, property::kRetainAvailable).value_or(1) != 0,
        .packet_size = number_of(properties, property::kMaximumPacketSize).value_or(0)};
  }
  tell_connected(*call, welcome);
}

void connect_failed5(void* context, MQTTAsync_failureData5* data) {
  const auto call = take_call(context);
  const int code = data->reasonCode != 0 ? static_cast<int>(data->reasonCode) : data->code;
  std::string why = call->hook.tls_failure().value_or(library_text(*data));
  if (code > 0) {
    // A CONNACK has just been read, and the library does not hand its reason string on.
    const auto link = wire::current();
    why = link ? connack_reason(link->greeting()) : std::string();
  }
  const std::string fault = wire::refusal();
  call->hook.tell([&](ClientEvents& events) {
    if (fault.empty()) {
      events.on_connect_failed(call->attempt, std::max(code, 0), why);
    } else {
      events.on_connect_failed(call->attempt, kNotTaken, fault);
    }
  });
}

void server_disconnects(void* context, MQTTProperties* properties, MQTTReasonCodes code) {
  auto& hook = *static_cast<Hook*>(context);
  std::string why;
  if (properties != nullptr) {
    why = said(*properties);
    const std::string server = text_of(*properties, property::kServerReference);
    if (!server.empty()) why += (why.empty() ? "use " : "; use ") + server;
  }
  // Paho closes the connection next, and does not call it lost.
  hook.tell([&](ClientEvents& events) { events.on_lost(hook.attempt, why, code); });
}

// ---- Operations ----

void subscribe_succeeded5(void* context, MQTTAsync_successData5* data) {
  const auto call = take_call(context);
  const std::vector<int> codes = codes_of(*call, data->alt.sub, data->reasonCode);
  call->hook.tell([&](ClientEvents& events) {
    events.on_subscribed(call->attempt, codes, said(data->properties));
  });
}

void subscribe_failed5(void* context, MQTTAsync_failureData5* data) {
  const auto call = take_call(context);
  std::vector<int> codes;
  std::string why = said(data->properties);
  if (data->reasonCode >= kReasonFailure) {
    codes.assign(call->filters, data->reasonCode);
  } else {
    why = library_text(*data);
  }
  call->hook.tell(
      [&](ClientEvents& events) { events.on_subscribed(call->attempt, codes, std::move(why)); });
}

void unsubscribe_succeeded5(void* context, MQTTAsync_successData5* data) {
  const auto call = take_call(context);
  const std::vector<int> codes = codes_of(*call, data->alt.unsub, data->reasonCode);
  call->hook.tell([&](ClientEvents& events) {
    events.on_unsubscribed(call->attempt, codes, said(data->properties));
  });
}

void unsubscribe_failed5(void* context, MQTTAsync_failureData5* data) {
  const auto call = take_call(context);
  std::vector<int> codes;
  if (data->reasonCode >= kReasonFailure) codes.assign(call->filters, data->reasonCode);
  call->hook.tell([&](ClientEvents& events) {
    events.on_unsubscribed(call->attempt, codes, said(data->properties));
  });
}

void disconnect_succeeded5(void* context, MQTTAsync_successData5*) {
  const auto call = take_call(context);
  call->hook.tell([&](ClientEvents& events) { events.on_disconnected(call->attempt); });
}

void disconnect_failed5(void* context, MQTTAsync_failureData5*) {
  disconnect_succeeded5(context, nullptr);
}

void publish_succeeded5(void* context, MQTTAsync_successData5*) {
  take_call(context)->done({});
}

void publish_failed5(void* context, MQTTAsync_failureData5* data) {
  const auto call = take_call(context);
  if (data->reasonCode < kReasonFailure) {
    call->done(fail("{}", library_text(*data)));
    return;
  }
  const int code = data->reasonCode;
  call->done(tl::make_unexpected(Error{reason_text(code, said(data->properties)), code}));
}

// ---- Messages ----

bool complete_message5(Hook& hook, MQTTAsync_message& from, Message& message) {
  // One that 3.1.1 has staged under this client id comes with its PUBREL, and not as others do.
  std::optional<Receipt> pubrec;
  if (hook.persistence && message.qos == 2) {
    pubrec = hook.persistence->take_arriving(message.packet_id);
    if (!pubrec) return true;
    message.receipt = *std::move(pubrec);
  }
  message.mqtt5 = true;
  if (from.properties.count == 0) return !message.topic.empty();
  if (const auto alias = number_of(from.properties, property::kTopicAlias)) {
    const auto topic = hook.aliases.resolve(*alias, message.topic);
    if (!topic) {
      message.topic = {};
      return false;
    }
    if (message.topic.empty()) {
      auto* copy = static_cast<char*>(MQTTAsync_malloc(topic->size() + 1));
      if (copy == nullptr) return false;
      std::memcpy(copy, topic->data(), topic->size());
      copy[topic->size()] = '\0';
      message.buffers.replace_first(copy, [](void* old) { MQTTAsync_free(old); });
      message.topic = {copy, topic->size()};
    }
  }
  if (const auto seconds = number_of(from.properties, property::kMessageExpiry)) {
    // A server rounds what is left down to seconds; so 0 is not over yet.
    message.expires =
        system_clock().now() + std::chrono::seconds(std::max<std::uint64_t>(*seconds, 1));
  }
  message.properties = encode(from.properties);
  return !message.topic.empty();
}

}  // namespace triggerd::mqtt
