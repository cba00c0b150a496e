#include "mqtt/paho/paho_client.hpp"

#include <MQTTAsync.h>
#include <openssl/crypto.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <mutex>

#include "mqtt/paho/callback_context.hpp"
#include "mqtt/paho/callbacks_v5.hpp"
#include "mqtt/paho/handles.hpp"
#include "mqtt/paho/pending_call.hpp"
#include "mqtt/paho/property_list.hpp"
#include "mqtt/publishes.hpp"
#include "mqtt/reason.hpp"
#include "mqtt/tls/names.hpp"
#include "mqtt/tls/ssl_options.hpp"
#include "mqtt/wire/dial.hpp"

namespace triggerd::mqtt {
namespace {

// Paho multiplies it by 1000 in an int; three weeks are as good as for ever.
constexpr int kNoTimeoutSeconds = 2'000'000;
constexpr int kBadSubscribe = 0x80;

std::string text_of(const MQTTAsync_failureData* data) {
  if (data != nullptr && data->message != nullptr) return data->message;
  return data == nullptr ? "" : MQTTAsync_strerror(data->code);
}

// ---- Callbacks. Paho's threads, most of them with Paho's mutex held. ----

// Messages are taken before Paho sees them (wire/link.hpp), but Paho wants to be told where to.
int message_arrived(void*, char* topic, int, MQTTAsync_message* message) {
  MQTTAsync_free(topic);
  MQTTAsync_freeMessage(&message);
  return 1;
}

void connection_lost(void* context, char*) {
  auto& callbacks = *static_cast<CallbackContext*>(context);
  const std::string why = callbacks.fault();
  callbacks.tell([&](ClientEvents& events) { events.on_lost(callbacks.attempt, why, -1); });
}

void connect_succeeded(void* context, MQTTAsync_successData* data) {
  const auto call = take_call(context);
  if (!call) return;
  report_connected(*call,
                   {.session_present = data != nullptr && data->alt.connect.sessionPresent != 0});
}

int tls_failed(const char* text, std::size_t size, void* context) {
  auto& callbacks = *static_cast<CallbackContext*>(context);
  MutexLock lock(callbacks.tls_mutex);
  if (callbacks.tls_error.empty()) callbacks.tls_error = tls::reason_in({text, size});
  return 1;
}

void connect_failed(void* context, MQTTAsync_failureData* data) {
  const auto call = take_call(context);
  if (!call) return;
  const std::string fault = call->callbacks.fault();
  const int code = !fault.empty() ? kNotTaken : data == nullptr ? 0 : std::max(0, data->code);
  const std::string why =
      fault.empty() ? call->callbacks.tls_failure().value_or(text_of(data)) : fault;
  call->callbacks.tell(
      [&](ClientEvents& events) { events.on_connect_failed(call->attempt, code, why); });
}

void subscribe_succeeded(void* context, MQTTAsync_successData* data) {
  const auto call = take_call(context);
  if (!call) return;
  std::vector<int> codes;
  if (call->filters == 1) {
    codes.push_back(data->alt.qos);
  } else {
    codes.assign(data->alt.qosList, data->alt.qosList + call->filters);
  }
  call->callbacks.tell(
      [&](ClientEvents& events) { events.on_subscribed(call->attempt, codes, ""); });
}

void subscribe_failed(void* context, MQTTAsync_failureData* data) {
  const auto call = take_call(context);
  if (!call) return;
  std::vector<int> codes;
  if (data != nullptr && data->code == kBadSubscribe) codes.assign(call->filters, kBadSubscribe);
  call->callbacks.tell(
      [&](ClientEvents& events) { events.on_subscribed(call->attempt, codes, ""); });
}

void unsubscribe_ended(const PendingCall& call) {
  call.callbacks.tell([&](ClientEvents& events) { events.on_unsubscribed(call.attempt, {}, ""); });
}
void unsubscribe_succeeded(void* context, MQTTAsync_successData*) {
  if (const auto call = take_call(context)) unsubscribe_ended(*call);
}
void unsubscribe_failed(void* context, MQTTAsync_failureData*) {
  if (const auto call = take_call(context)) unsubscribe_ended(*call);
}

void disconnect_ended(const PendingCall& call) {
  call.callbacks.tell([&](ClientEvents& events) { events.on_disconnected(call.attempt); });
}
void disconnect_succeeded(void* context, MQTTAsync_successData*) {
  if (const auto call = take_call(context)) disconnect_ended(*call);
}
void disconnect_failed(void* context, MQTTAsync_failureData*) {
  if (const auto call = take_call(context)) disconnect_ended(*call);
}

void publish_succeeded(void* context, MQTTAsync_successData*) {
  if (const auto call = take_call(context)) call->done({});
}
void publish_failed(void* context, MQTTAsync_failureData* data) {
  if (const auto call = take_call(context)) call->done(fail("{}", text_of(data)));
}

// Of a PUBLISH with MQTT 5 (section 3.3).
std::uint64_t packet_size(const PublishRequest& request) {
  std::string properties;
  for (const Property& property : request.properties) encode_property(properties, property);
  const std::uint64_t packet_id = request.qos > 0 ? 2 : 0;
  const std::uint64_t remaining = 2 + request.topic.size() + packet_id +
                                  variable_size(properties.size()) + properties.size() +
                                  request.payload.size();
  return 1 + variable_size(remaining) + remaining;
}

// ---- The client ----

class PahoClient final : public Client {
 public:
  PahoClient(MQTTAsync handle, std::shared_ptr<CallbackContext> callbacks,
             const ConnectionOptions& options)
      : handle_(handle),
        shared_callbacks_(std::move(callbacks)),
        callbacks_(*shared_callbacks_),
        receive_maximum_(options.receive_maximum),
        topic_aliases_(options.topics.empty() ? std::uint16_t{0} : options.topic_aliases),
        max_inflight_(options.max_inflight),
        max_packet_size_(options.max_packet_size),
        keeps_publishes_(options.keeps_publishes) {}

  ~PahoClient() override {
    {
      MutexLock lock(callbacks_.mutex);
      callbacks_.messages = nullptr;
      callbacks_.events = nullptr;
    }
    paho_handles::give_up(handle_, shared_callbacks_);
  }

  Result<> connect(ConnectAttempt attempt, const ConnectRequest& request) override {
    callbacks_.attempt = attempt;
    const std::string uri = dial(request);
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    char* uris[] = {const_cast<char*>(uri.c_str())};
    options.serverURIs = uris;
    options.serverURIcount = 1;
    options.MQTTVersion = MQTTVERSION_3_1_1;  // the default would fall back to 3.1
    options.automaticReconnect = 0;
    options.cleansession = request.clean_session ? 1 : 0;
    options.keepAliveInterval =
        static_cast<int>(std::chrono::ceil<std::chrono::seconds>(request.keep_alive).count());
    options.connectTimeout = timeout_seconds(request.timeout);
    // Publishes has the limit. This one is for what the library may have kept of a connection that
    // broke while it was written; with MQTT 5 it takes that of the server, where there is one.
    if (!callbacks_.v5) {
      options.maxInflight = static_cast<int>(max_inflight_.value_or(Publishes::kDefaultWindow));
    }
    if (!request.user_name.empty()) {
      options.username = request.user_name.c_str();
      options.binarypwd.data = request.password.reveal().data();
      options.binarypwd.len = static_cast<int>(request.password.reveal().size());
    }
    if (request.last_will) {
      will.topicName = request.last_will->topic.c_str();
      will.payload.data = request.last_will->payload.data();
      will.payload.len = static_cast<int>(request.last_will->payload.size());
      will.qos = request.last_will->qos;
      will.retained = request.last_will->retained ? 1 : 0;
      options.will = &will;
    }
    MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
    if (request.tls) {
      ssl = tls::ssl_options(*request.tls, &tls_failed, &callbacks_);
      options.ssl = &ssl;
      MutexLock lock(callbacks_.tls_mutex);
      callbacks_.material = request.tls;
      callbacks_.tls_error.clear();
    }
    PropertyList properties;
    if (callbacks_.v5) {
      options.MQTTVersion = MQTTVERSION_5;
      options.cleansession = 0;
      options.cleanstart = request.clean_session ? 1 : 0;
      announce(properties, request);
      options.connectProperties = &properties.list();
      options.onSuccess5 = &connect_succeeded5;
      options.onFailure5 = &connect_failed5;
    } else {
      options.onSuccess = &connect_succeeded;
      options.onFailure = &connect_failed;
    }
    // Paho writes down whom to call back before it has its lock. Where it is still telling of the
    // connection before, it would tell that one's end to this connect, and forget it. So it has to
    // be done with that: this waits for its lock.
    (void)MQTTAsync_isConnected(handle_);
    return begin(std::make_unique<PendingCall>(callbacks_, attempt, PendingCall::Kind::connect),
                 [&](void* call) {
                   options.context = call;
                   return MQTTAsync_connect(handle_, &options);
                 });
  }

  Result<> subscribe(ConnectAttempt attempt, const std::vector<config::Topic>& topics) override {
    std::vector<char*> filters;
    std::vector<int> qos;
    for (const config::Topic& topic : topics) {
      filters.push_back(const_cast<char*>(topic.filter.c_str()));
      qos.push_back(topic.qos);
    }
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    std::vector<MQTTSubscribe_options> wishes;
    PropertyList properties;
    if (callbacks_.v5) {
      for (const config::Topic& topic : topics) wishes.push_back(options_of(topic));
      options.subscribeOptions = wishes.front();
      options.subscribeOptionsCount = static_cast<int>(wishes.size());
      options.subscribeOptionsList = wishes.data();
      if (const std::uint32_t id = topics.front().subscription_id; id != 0) {
        properties.add({.id = property::kSubscriptionId, .number = id});
      }
      options.properties = properties.list();
      options.onSuccess5 = &subscribe_succeeded5;
      options.onFailure5 = &subscribe_failed5;
    } else {
      options.onSuccess = &subscribe_succeeded;
      options.onFailure = &subscribe_failed;
    }
    return begin(
        std::make_unique<PendingCall>(callbacks_, attempt, PendingCall::Kind::other, topics.size()),
        [&](void* call) {
          options.context = call;
          return MQTTAsync_subscribeMany(handle_, static_cast<int>(filters.size()), filters.data(),
                                         qos.data(), &options);
        });
  }

  Result<> unsubscribe(ConnectAttempt attempt, const std::vector<std::string>& filters) override {
    std::vector<char*> pointers;
    pointers.reserve(filters.size());
    for (const std::string& filter : filters) pointers.push_back(const_cast<char*>(filter.c_str()));
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    if (callbacks_.v5) {
      options.onSuccess5 = &unsubscribe_succeeded5;
      options.onFailure5 = &unsubscribe_failed5;
    } else {
      options.onSuccess = &unsubscribe_succeeded;
      options.onFailure = &unsubscribe_failed;
    }
    return begin(std::make_unique<PendingCall>(callbacks_, attempt, PendingCall::Kind::other,
                                               filters.size()),
                 [&](void* call) {
                   options.context = call;
                   return MQTTAsync_unsubscribeMany(handle_, static_cast<int>(pointers.size()),
                                                    pointers.data(), &options);
                 });
  }

  Result<> disconnect(ConnectAttempt attempt) override {
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
    if (callbacks_.v5) {
      options = MQTTAsync_disconnectOptions_initializer5;
      options.onSuccess5 = &disconnect_succeeded5;
      options.onFailure5 = &disconnect_failed5;
    } else {
      options.onSuccess = &disconnect_succeeded;
      options.onFailure = &disconnect_failed;
    }
    options.timeout = 0;
    return begin(std::make_unique<PendingCall>(callbacks_, attempt, PendingCall::Kind::other),
                 [&](void* call) {
                   options.context = call;
                   return MQTTAsync_disconnect(handle_, &options);
                 });
  }

  Result<> publish(const PublishRequest& request, PublishDone done) override {
    const std::string topic(request.topic);
    MQTTAsync_message message = MQTTAsync_message_initializer;
    message.payload = const_cast<std::uint8_t*>(request.payload.data());
    message.payloadlen = static_cast<int>(request.payload.size());
    message.qos = request.qos;
    message.retained = request.retained ? 1 : 0;
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    PropertyList properties(request.properties);
    if (callbacks_.v5) {
      if (auto fits = fits_server(request); !fits) return fits;
      message.properties = properties.list();
      options.onSuccess5 = &publish_succeeded5;
      options.onFailure5 = &publish_failed5;
    } else {
      options.onSuccess = &publish_succeeded;
      options.onFailure = &publish_failed;
    }
    return begin(std::make_unique<PendingCall>(callbacks_, callbacks_.attempt,
                                               PendingCall::Kind::other, 0, std::move(done)),
                 [&](void* call) {
                   options.context = call;
                   return MQTTAsync_sendMessage(handle_, topic.c_str(), &message, &options);
                 });
  }

  bool send(std::string_view packets, const std::vector<std::size_t>& publishes) override {
    const auto link = callbacks_.current_link();
    return link && link->send(packets, publishes);
  }

  std::size_t unsent() const override {
    const auto link = callbacks_.current_link();
    return link ? link->unsent() : 0;
  }

  void give_up_connect() override {
    if (const auto link = callbacks_.current_link()) link->end({});
  }

  void pause_reading() override { set_paused(true); }

  void resume_reading() override { set_paused(false); }

  void flush_acknowledgements() override {
    if (const auto link = callbacks_.current_link()) link->flush();
  }

 private:
  void set_paused(bool paused) {
    MutexLock lock(callbacks_.link_mutex);
    callbacks_.reading_paused = paused;
    if (!callbacks_.link) return;
    if (paused) {
      callbacks_.link->pause();
    } else {
      callbacks_.link->resume();
    }
  }

  // What is connected to, for Paho, whose next socket it is.
  std::string dial(const ConnectRequest& request) {
    const config::Server& server = request.server;
    const std::string host(tls::plain_host(server.host));
    auto dial = std::make_shared<wire::Dial>();
    dial->host = host;
    dial->address = request.address;
    dial->tls = server.has_tls();
    dial->v5 = callbacks_.v5;
    if (server.is_websocket()) {
      dial->websocket = {.host = host_and_port(host, server.port), .path = server.path};
    }
    dial->proxy = request.proxy;
    dial->target = {.host = host, .port = server.port};
    dial->max_message = max_packet_size_;
    dial->receive_maximum = callbacks_.v5 ? receive_maximum_ : 0;
    dial->hold = callbacks_.hold;
    dial->shared = keeps_publishes_;
    dial->keep_alive = request.keep_alive;
    dial->clock = &callbacks_.clock;
    dial->sink = shared_callbacks_;
    std::shared_ptr<wire::Link> before;
    {
      MutexLock lock(callbacks_.link_mutex);
      before.swap(callbacks_.link);
    }
    dial_ = wire::DialName(std::move(dial));
    return fmt::format("{}://{}:{}", server.has_tls() ? "ssl" : "tcp", dial_.text(),
                       request.proxy ? request.proxy->port : server.port);
  }

  static std::string host_and_port(const std::string& host, std::uint16_t port) {
    const bool brackets = host.find(':') != std::string::npos;
    return fmt::format("{}{}{}:{}", brackets ? "[" : "", host, brackets ? "]" : "", port);
  }

  static int timeout_seconds(std::optional<Millis> timeout) {
    if (!timeout) return kNoTimeoutSeconds;
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*timeout).count();
    return static_cast<int>(std::clamp<std::int64_t>(seconds, 1, kNoTimeoutSeconds));
  }

  // What CONNECT of MQTT 5 says of us.
  void announce(PropertyList& properties, const ConnectRequest& request) const {
    if (!request.clean_session) {
      properties.add({.id = property::kSessionExpiry,
                      .number = static_cast<std::uint64_t>(request.session_expiry.count())});
    }
    properties.add({.id = property::kReceiveMaximum, .number = receive_maximum_});
    if (max_packet_size_ > 0) {
      properties.add({.id = property::kMaximumPacketSize, .number = max_packet_size_});
    }
    if (topic_aliases_ > 0) {
      properties.add({.id = property::kTopicAliasMaximum, .number = topic_aliases_});
    }
  }

  static MQTTSubscribe_options options_of(const config::Topic& topic) {
    MQTTSubscribe_options options = MQTTSubscribe_options_initializer;
    options.noLocal = topic.no_local ? 1 : 0;
    options.retainAsPublished = topic.retain_as_published ? 1 : 0;
    options.retainHandling = static_cast<unsigned char>(topic.retain_handling);
    return options;
  }

  // What the server has said it does not take would end the connection (MQTT 5.0, section 3.2.2.3).
  Result<> fits_server(const PublishRequest& request) {
    PublishLimits limits;
    {
      MutexLock lock(callbacks_.link_mutex);
      limits = callbacks_.limits;
    }
    if (request.qos > limits.qos) {
      return refused(kReasonQosNotSupported,
                     fmt::format("the server does not support QoS {}, only up to {}", request.qos,
                                 limits.qos));
    }
    if (request.retained && !limits.retained) {
      return refused(kReasonRetainNotSupported, "the server does not support retained messages");
    }
    const std::uint64_t size = limits.packet_size == 0 ? 0 : packet_size(request);
    if (size > limits.packet_size) {
      return refused(kReasonPacketTooLarge,
                     fmt::format("its packet has {} bytes, and the server accepts at most {}", size,
                                 limits.packet_size));
    }
    return {};
  }

  static Result<> refused(int code, std::string why) {
    return tl::make_unexpected(Error{std::move(why), code});
  }

  // Hands `call` to Paho with the operation; takes it back where Paho refused the operation.
  template <class Operation>
  Result<> begin(std::unique_ptr<PendingCall> call, Operation operation) {
    MutexLock lock(api_mutex_);
    void* const context = begin_call(std::move(call));
    const int code = operation(context);
    if (code == MQTTASYNC_SUCCESS) return {};
    (void)take_call(context);
    return fail("the MQTT library refused the request: {}", MQTTAsync_strerror(code));
  }

  const MQTTAsync handle_;
  const std::shared_ptr<CallbackContext> shared_callbacks_;
  CallbackContext& callbacks_;
  const std::uint16_t receive_maximum_;
  const std::uint16_t topic_aliases_;
  const std::optional<std::uint16_t> max_inflight_;
  const std::uint64_t max_packet_size_;
  const bool keeps_publishes_;
  wire::DialName dial_;  // of the last connect
  Mutex api_mutex_;
};

extern "C" void nothing(int) {}

// Paho ignores SIGPIPE, for the whole process, and the programs that a plugin starts would inherit
// that. A handler that does nothing is as good to Paho, and ends with them.
void handle_broken_pipes() {
  struct sigaction now {};
  if (::sigaction(SIGPIPE, nullptr, &now) != 0 || now.sa_handler != SIG_IGN) return;
  now = {};
  now.sa_handler = nothing;
  now.sa_flags = SA_RESTART | SA_ONSTACK;
  ::sigaction(SIGPIPE, &now, nullptr);
}

Result<std::unique_ptr<Client>> make_client(const ConnectionOptions& connection,
                                            MessageListener& messages, ClientEvents& events,
                                            const Clock& clock) {
  const std::string& client_id = connection.client_id;
  MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer;
  const bool v5 = connection.protocol == config::Protocol::v5;
  options.MQTTVersion = v5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
  options.sendWhileDisconnected = 0;
  // It also counts what is sent while connected; Publishes has the real limit.
  options.maxBufferedMessages = std::numeric_limits<std::uint16_t>::max();
  paho_handles::tidy();
  auto callbacks = std::make_shared<CallbackContext>(clock);
  callbacks->v5 = v5;
  callbacks->hold = connection.hold_acknowledgements;
  MQTTAsync handle = nullptr;
  // The address is replaced by the one of each connect.
  const int created =
      MQTTAsync_createWithOptions(&handle, "tcp://localhost:1883", client_id.c_str(),
                                  MQTTCLIENT_PERSISTENCE_NONE, nullptr, &options);
  handle_broken_pipes();
  if (created != MQTTASYNC_SUCCESS) {
    if (handle != nullptr) paho_handles::give_up(handle, std::move(callbacks));
    return fail("cannot create an MQTT client for client id \"{}\": {}", client_id,
                MQTTAsync_strerror(created));
  }
  {
    MutexLock lock(callbacks->mutex);
    callbacks->messages = &messages;
    callbacks->events = &events;
  }
  const int set =
      MQTTAsync_setCallbacks(handle, callbacks.get(), &connection_lost, &message_arrived, nullptr);
  if (set != MQTTASYNC_SUCCESS) {
    paho_handles::give_up(handle, std::move(callbacks));
    return fail("cannot set the callbacks of client id \"{}\": {}", client_id,
                MQTTAsync_strerror(set));
  }
  if (v5) MQTTAsync_setDisconnected(handle, callbacks.get(), &server_disconnects);
  return std::make_unique<PahoClient>(handle, std::move(callbacks), connection);
}

// Paho's trace callback has no context argument, so this has to be a global.
std::atomic<Log*> trace_log{nullptr};

void trace(enum MQTTASYNC_TRACE_LEVELS level, char* message) {
  Log* log = trace_log;
  // Below that level there is only the banner that Paho begins with.
  if (log == nullptr || message == nullptr || level < MQTTASYNC_TRACE_ERROR) return;
  log->warn("mqtt.library", {}, "{}", message);
}

void report_error(const std::string& text) {
  if (Log* log = trace_log) log->warn("mqtt.library", {}, "{}", text);
}

}  // namespace

void report_connected(PendingCall& call, const ConnAck& connack) {
  CallbackContext& callbacks = call.callbacks;
  callbacks.aliases.clear();
  if (!connack.session_present) {
    MutexLock lock(callbacks.mutex);
    if (callbacks.messages != nullptr) callbacks.messages->on_session_lost();
  }
  callbacks.tell([&](ClientEvents& events) { events.on_connected(call.attempt, connack); });
}

PahoLibrary::PahoLibrary(Log& log, const Clock& clock) : clock_(clock) {
  for (const char* name : {"http_proxy", "https_proxy"})
    ::unsetenv(name);  // NOLINT(concurrency-mt-unsafe)
  // Lookups and handshakes that nobody waits for may still run when the process ends, and OpenSSL
  // must not be taken down under them.
  OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);
  trace_log = &log;
  // Once: its threads outlive the clients of a runtime before this one, in tests, and it would make
  // their locks anew.
  static std::once_flag once;
  std::call_once(once, [] {
    MQTTAsync_init_options options = MQTTAsync_init_options_initializer;
    options.do_openssl_init = 1;
    MQTTAsync_global_init(&options);
    MQTTAsync_setTraceCallback(&trace);
    paho_handles::keep_one();
    MQTTAsync_setTraceLevel(MQTTASYNC_TRACE_ERROR);
  });
  wire::report_errors_to(&report_error);
}

PahoLibrary::~PahoLibrary() {
  trace_log = nullptr;
}

ClientFactory PahoLibrary::factory() {
  return [&clock = clock_](const ConnectionOptions& options, MessageListener& messages,
                           ClientEvents& events) {
    return make_client(options, messages, events, clock);
  };
}

}  // namespace triggerd::mqtt
