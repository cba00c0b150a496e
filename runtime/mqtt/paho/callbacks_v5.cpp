#include "mqtt/paho/callbacks_v5.hpp"

#include <algorithm>
#include <cstring>

#include "mqtt/paho/property_list.hpp"
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
std::vector<int> codes_of(const PendingCall& call, const List& list, int only) {
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
  if (!call) return;
  const MQTTProperties& properties = data->properties;
  ConnAck connack{.session_present = data->alt.connect.sessionPresent != 0};
  if (const auto seconds = number_of(properties, property::kSessionExpiry)) {
    connack.session_expiry = std::chrono::seconds(*seconds);
  }
  if (const auto seconds = number_of(properties, property::kServerKeepAlive)) {
    connack.keep_alive = std::chrono::seconds(*seconds);
  }
  if (const auto most = number_of(properties, property::kReceiveMaximum)) {
    connack.receive_maximum = static_cast<std::uint16_t>(*most);
  }
  connack.limits = {
      .qos = static_cast<int>(number_of(properties, property::kMaximumQos).value_or(2)),
      .retained = number_of(properties, property::kRetainAvailable).value_or(1) != 0,
      .packet_size = number_of(properties, property::kMaximumPacketSize).value_or(0)};
  CallbackContext& callbacks = call->callbacks;
  {
    MutexLock lock(callbacks.link_mutex);
    callbacks.limits = connack.limits;
  }
  report_connected(*call, connack);
}

void connect_failed5(void* context, MQTTAsync_failureData5* data) {
  const auto call = take_call(context);
  if (!call) return;
  const int code = data->reasonCode != 0 ? static_cast<int>(data->reasonCode) : data->code;
  std::string why = call->callbacks.tls_failure().value_or(library_text(*data));
  if (code > 0) {
    // A CONNACK has just been read, and the library does not hand its reason string on.
    const auto link = call->callbacks.current_link();
    why = link ? connack_reason(link->greeting()) : std::string();
  }
  const std::string fault = call->callbacks.fault();
  call->callbacks.tell([&](ClientEvents& events) {
    if (fault.empty()) {
      events.on_connect_failed(call->attempt, std::max(code, 0), why);
    } else {
      events.on_connect_failed(call->attempt, kNotTaken, fault);
    }
  });
}

void server_disconnects(void* context, MQTTProperties* properties, MQTTReasonCodes code) {
  auto& callbacks = *static_cast<CallbackContext*>(context);
  std::string why;
  if (properties != nullptr) {
    why = said(*properties);
    const std::string server = text_of(*properties, property::kServerReference);
    if (!server.empty()) why += (why.empty() ? "use " : "; use ") + server;
  }
  // Paho closes the connection next, and does not call it lost.
  callbacks.tell([&](ClientEvents& events) { events.on_lost(callbacks.attempt, why, code); });
}

// ---- Operations ----

void subscribe_succeeded5(void* context, MQTTAsync_successData5* data) {
  const auto call = take_call(context);
  if (!call) return;
  const std::vector<int> codes = codes_of(*call, data->alt.sub, data->reasonCode);
  call->callbacks.tell([&](ClientEvents& events) {
    events.on_subscribed(call->attempt, codes, said(data->properties));
  });
}

void subscribe_failed5(void* context, MQTTAsync_failureData5* data) {
  const auto call = take_call(context);
  if (!call) return;
  std::vector<int> codes;
  std::string why = said(data->properties);
  if (data->reasonCode >= kReasonFailure) {
    codes.assign(call->filters, data->reasonCode);
  } else {
    why = library_text(*data);
  }
  call->callbacks.tell(
      [&](ClientEvents& events) { events.on_subscribed(call->attempt, codes, std::move(why)); });
}

void unsubscribe_succeeded5(void* context, MQTTAsync_successData5* data) {
  const auto call = take_call(context);
  if (!call) return;
  const std::vector<int> codes = codes_of(*call, data->alt.unsub, data->reasonCode);
  call->callbacks.tell([&](ClientEvents& events) {
    events.on_unsubscribed(call->attempt, codes, said(data->properties));
  });
}

void unsubscribe_failed5(void* context, MQTTAsync_failureData5* data) {
  const auto call = take_call(context);
  if (!call) return;
  std::vector<int> codes;
  if (data->reasonCode >= kReasonFailure) codes.assign(call->filters, data->reasonCode);
  call->callbacks.tell([&](ClientEvents& events) {
    events.on_unsubscribed(call->attempt, codes, said(data->properties));
  });
}

void disconnect_succeeded5(void* context, MQTTAsync_successData5*) {
  const auto call = take_call(context);
  if (!call) return;
  call->callbacks.tell([&](ClientEvents& events) { events.on_disconnected(call->attempt); });
}

void disconnect_failed5(void* context, MQTTAsync_failureData5*) {
  disconnect_succeeded5(context, nullptr);
}

void publish_succeeded5(void* context, MQTTAsync_successData5*) {
  if (const auto call = take_call(context)) call->done({});
}

void publish_failed5(void* context, MQTTAsync_failureData5* data) {
  const auto call = take_call(context);
  if (!call) return;
  if (data->reasonCode < kReasonFailure) {
    call->done(fail("{}", library_text(*data)));
    return;
  }
  const int code = data->reasonCode;
  call->done(tl::make_unexpected(Error{reason_text(code, said(data->properties)), code}));
}

}  // namespace triggerd::mqtt
