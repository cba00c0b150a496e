#include "mqtt/paho_client.hpp"

#include <MQTTAsync.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <limits>

#include "base/mutex.hpp"
#include "mqtt/paho_persistence.hpp"
#include "mqtt/tls/ssl_options.hpp"
#include "mqtt/wire/pins.hpp"
#include "mqtt/wire/wire.hpp"

namespace triggerd::mqtt {
namespace {

// Paho multiplies it by 1000 in an int; three weeks are as good as for ever.
constexpr int kNoTimeoutSeconds = 2'000'000;
constexpr int kBadSubscribe = 0x80;

// Where callbacks find their client. Never freed, and neither is Paho's handle: destroying a handle
// races with Paho's own threads (its issues #1474, #1446). A runtime makes each client once.
struct Hook {
  Mutex mutex;
  ClientEvents* events TRIGGERD_GUARDED_BY(mutex) = nullptr;
  std::atomic<Attempt> attempt{0};
  bool hold = false;                           // constant once made
  std::size_t packet_limit = 0;                // constant once made
  std::optional<PahoPersistence> persistence;  // constant once made
  StagedMessages* staged = nullptr;            // constant once made
  Wall batch_time{};                           // the receive thread's: when the batch began
  Mutex link_mutex;
  std::shared_ptr<wire::Link> link TRIGGERD_GUARDED_BY(link_mutex);  // of the connection there is
  Mutex tls_mutex;
  // Of the last connect: Paho opens its files while it connects.
  tls::MaterialPtr material TRIGGERD_GUARDED_BY(tls_mutex);
  std::string tls_error TRIGGERD_GUARDED_BY(tls_mutex);  // of this attempt, the first

  std::shared_ptr<wire::Link> current_link() {
    MutexLock lock(link_mutex);
    return link;
  }

  template <class Tell>
  void tell(Tell tell) {
    MutexLock lock(mutex);
    if (events != nullptr) tell(*events);
  }
};

// A packet that is larger is not read, whatever max_packet_size says: it ends the connection. Up to
// it, a message over max_packet_size is read, refused and acknowledged, so that it does not come
// again.
constexpr std::size_t kReadableBytes = 16 << 20;

// One operation under way; freed by the callback that ends it.
struct Call {
  Hook& hook;
  Attempt attempt;
  std::size_t filters = 0;
  PublishDone done;
};

std::unique_ptr<Call> take(void* context) {
  return std::unique_ptr<Call>(static_cast<Call*>(context));
}

std::string text_of(const MQTTAsync_failureData* data) {
  if (data != nullptr && data->message != nullptr) return data->message;
  return data == nullptr ? "" : MQTTAsync_strerror(data->code);
}

// ---- Callbacks. Paho's threads, most of them with Paho's mutex held. ----

void release(void* topic, void* message) {
  MQTTAsync_free(topic);
  auto* paho_message = static_cast<MQTTAsync_message*>(message);
  MQTTAsync_freeMessage(&paho_message);
}

int message_arrived(void* context, char* topic, int topic_length, MQTTAsync_message* message) {
  const auto length =
      topic_length > 0 ? static_cast<std::size_t>(topic_length) : std::string_view(topic).size();
  Message received{.buffers = Buffers(topic, message, &release),
                   .topic = {topic, length},
                   .payload = {static_cast<const std::uint8_t*>(message->payload),
                               static_cast<std::size_t>(message->payloadlen)},
                   .qos = message->qos,
                   .retained = message->retained != 0,
                   .dup = message->dup != 0,
                   .packet_id = static_cast<std::uint16_t>(message->msgid),
                   .received = {},
                   .receipt = {}};
  auto& hook = *static_cast<Hook*>(context);
  // What came together was received at one time.
  if (hook.batch_time == Wall{} || !wire::wired()) {
    hook.batch_time = std::chrono::system_clock::now();
  }
  received.received = hook.batch_time;
  const std::shared_ptr<wire::Link> link = message->qos > 0 ? wire::current() : nullptr;
  if (hook.hold && link) {
    // QoS 2 of 3.1.1 arrives here with its PUBREL.
    const auto kind = received.qos == 1 ? wire::AckKind::puback : wire::AckKind::pubcomp;
    received.receipt = Receipt(link, kind, link->hold({kind, received.packet_id}));
  }
  hook.tell([&received](ClientEvents& events) {
    events.on_message(std::move(received));
    if (!wire::wired()) events.on_batch_end();
  });
  // Anything else would be acknowledged all the same, and block the messages behind it.
  return 1;
}

void connection_lost(void* context, char*) {
  auto& hook = *static_cast<Hook*>(context);
  const auto link = hook.current_link();
  const std::string why = link ? link->fault() : std::string();
  hook.tell([&](ClientEvents& events) { events.on_lost(hook.attempt, why); });
}

void connect_succeeded(void* context, MQTTAsync_successData* data) {
  const auto call = take(context);
  const bool present = data != nullptr && data->alt.connect.sessionPresent != 0;
  // Paho forgets what it had, but does not always say so to its persistence.
  if (!present && call->hook.staged != nullptr) call->hook.staged->session_lost();
  if (const auto link = wire::current()) {
    Hook& hook = call->hook;
    link->limit_packets(hook.packet_limit);
    link->on_batch_end([&hook] {
      hook.batch_time = {};
      hook.tell([](ClientEvents& events) { events.on_batch_end(); });
    });
    if (hook.hold) {
      // Owned by the link itself, so it keeps no share of it.
      link->on_repeated_pubrel([&hook, raw = link.get()](std::uint16_t id, wire::Gate::Ticket t) {
        Receipt receipt(raw->shared_from_this(), wire::AckKind::pubcomp, t);
        hook.tell([&](ClientEvents& events) { events.on_repeated_pubrel(id, std::move(receipt)); });
      });
    }
    MutexLock lock(hook.link_mutex);
    hook.link = link;
  }
  call->hook.tell([&](ClientEvents& events) { events.on_connected(call->attempt, present); });
}

int tls_failed(const char* text, std::size_t size, void* context) {
  auto& hook = *static_cast<Hook*>(context);
  MutexLock lock(hook.tls_mutex);
  if (hook.tls_error.empty()) hook.tls_error = tls::reason_in({text, size});
  return 1;
}

void connect_failed(void* context, MQTTAsync_failureData* data) {
  const auto call = take(context);
  const int code = data == nullptr ? 0 : std::max(0, data->code);
  std::string why = text_of(data);
  {
    MutexLock lock(call->hook.tls_mutex);
    if (!call->hook.tls_error.empty()) why = "TLS: " + call->hook.tls_error;
  }
  call->hook.tell(
      [&](ClientEvents& events) { events.on_connect_failed(call->attempt, code, why); });
}

void subscribe_succeeded(void* context, MQTTAsync_successData* data) {
  const auto call = take(context);
  std::vector<int> codes;
  if (call->filters == 1) {
    codes.push_back(data->alt.qos);
  } else {
    codes.assign(data->alt.qosList, data->alt.qosList + call->filters);
  }
  call->hook.tell([&](ClientEvents& events) { events.on_subscribed(call->attempt, codes); });
}

void subscribe_failed(void* context, MQTTAsync_failureData* data) {
  const auto call = take(context);
  std::vector<int> codes;
  if (data != nullptr && data->code == kBadSubscribe) codes.assign(call->filters, kBadSubscribe);
  call->hook.tell([&](ClientEvents& events) { events.on_subscribed(call->attempt, codes); });
}

void unsubscribe_ended(const Call& call) {
  call.hook.tell([&](ClientEvents& events) { events.on_unsubscribed(call.attempt); });
}
void unsubscribe_succeeded(void* context, MQTTAsync_successData*) {
  unsubscribe_ended(*take(context));
}
void unsubscribe_failed(void* context, MQTTAsync_failureData*) {
  unsubscribe_ended(*take(context));
}

void disconnect_ended(const Call& call) {
  call.hook.tell([&](ClientEvents& events) { events.on_disconnected(call.attempt); });
}
void disconnect_succeeded(void* context, MQTTAsync_successData*) {
  disconnect_ended(*take(context));
}
void disconnect_failed(void* context, MQTTAsync_failureData*) {
  disconnect_ended(*take(context));
}

void publish_succeeded(void* context, MQTTAsync_successData*) {
  take(context)->done({});
}
void publish_failed(void* context, MQTTAsync_failureData* data) {
  take(context)->done(fail("{}", text_of(data)));
}

// ---- The client ----

class PahoClient final : public Client {
 public:
  PahoClient(MQTTAsync handle, Hook& hook) : handle_(handle), hook_(hook) {}

  ~PahoClient() override {
    MutexLock lock(hook_.mutex);
    hook_.events = nullptr;
  }

  Result<> connect(Attempt attempt, const ConnectRequest& request) override {
    hook_.attempt = attempt;
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    char* uris[] = {const_cast<char*>(request.uri.c_str())};
    options.serverURIs = uris;
    options.serverURIcount = 1;
    options.MQTTVersion = MQTTVERSION_3_1_1;  // the default would fall back to 3.1
    options.automaticReconnect = 0;
    options.cleansession = request.clean_session ? 1 : 0;
    options.keepAliveInterval =
        static_cast<int>(std::chrono::ceil<std::chrono::seconds>(request.keep_alive).count());
    options.connectTimeout = timeout_seconds(request.timeout);
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
      ssl = tls::ssl_options(*request.tls, &tls_failed, &hook_);
      options.ssl = &ssl;
      MutexLock lock(hook_.tls_mutex);
      hook_.material = request.tls;
      hook_.tls_error.clear();
    }
    if (!request.host.empty()) wire::pin_address(request.host, request.address);
    options.onSuccess = &connect_succeeded;
    options.onFailure = &connect_failed;
    return begin(new Call{hook_, attempt, 0, {}}, [&](Call* call) {
      options.context = call;
      return MQTTAsync_connect(handle_, &options);
    });
  }

  Result<> subscribe(Attempt attempt, const std::vector<config::Topic>& topics) override {
    std::vector<char*> filters;
    std::vector<int> qos;
    for (const config::Topic& topic : topics) {
      filters.push_back(const_cast<char*>(topic.filter.c_str()));
      qos.push_back(topic.qos);
    }
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.onSuccess = &subscribe_succeeded;
    options.onFailure = &subscribe_failed;
    return begin(new Call{hook_, attempt, topics.size(), {}}, [&](Call* call) {
      options.context = call;
      return MQTTAsync_subscribeMany(handle_, static_cast<int>(filters.size()), filters.data(),
                                     qos.data(), &options);
    });
  }

  Result<> unsubscribe(Attempt attempt, const std::vector<std::string>& filters) override {
    std::vector<char*> pointers;
    pointers.reserve(filters.size());
    for (const std::string& filter : filters) pointers.push_back(const_cast<char*>(filter.c_str()));
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.onSuccess = &unsubscribe_succeeded;
    options.onFailure = &unsubscribe_failed;
    return begin(new Call{hook_, attempt, filters.size(), {}}, [&](Call* call) {
      options.context = call;
      return MQTTAsync_unsubscribeMany(handle_, static_cast<int>(pointers.size()), pointers.data(),
                                       &options);
    });
  }

  Result<> disconnect(Attempt attempt) override {
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
    options.timeout = 0;
    options.onSuccess = &disconnect_succeeded;
    options.onFailure = &disconnect_failed;
    return begin(new Call{hook_, attempt, 0, {}}, [&](Call* call) {
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
    options.onSuccess = &publish_succeeded;
    options.onFailure = &publish_failed;
    return begin(new Call{hook_, hook_.attempt, 0, std::move(done)}, [&](Call* call) {
      options.context = call;
      return MQTTAsync_sendMessage(handle_, topic.c_str(), &message, &options);
    });
  }

  bool pause_reading() override {
    const auto link = hook_.current_link();
    if (!link || link->gone()) return false;
    link->pause();
    return true;
  }

  void resume_reading() override {
    if (const auto link = hook_.current_link()) link->resume();
  }

  void flush_acknowledgements() override {
    if (const auto link = hook_.current_link()) link->flush();
  }

 private:
  static int timeout_seconds(std::optional<Millis> timeout) {
    if (!timeout) return kNoTimeoutSeconds;
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*timeout).count();
    return static_cast<int>(std::clamp<std::int64_t>(seconds, 1, kNoTimeoutSeconds));
  }

  // Hands `call` to Paho with the operation; takes it back where Paho refused the operation.
  template <class Operation>
  Result<> begin(Call* call, Operation operation) {
    MutexLock lock(api_mutex_);
    const int code = operation(call);
    if (code == MQTTASYNC_SUCCESS) return {};
    delete call;
    return fail("the MQTT library refused: {}", MQTTAsync_strerror(code));
  }

  const MQTTAsync handle_;
  Hook& hook_;
  Mutex api_mutex_;
};

Result<std::unique_ptr<Client>> make_client(const ConnectionOptions& connection,
                                            ClientEvents& events) {
  const std::string& client_id = connection.client_id;
  MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer;
  options.MQTTVersion = MQTTVERSION_3_1_1;
  options.sendWhileDisconnected = 0;
  // It also counts what is sent while connected; Publishes has the real limit.
  options.maxBufferedMessages = std::numeric_limits<std::uint16_t>::max();
  auto* hook = new Hook;
  hook->hold = connection.hold_acknowledgements;
  hook->packet_limit = std::max<std::size_t>(connection.max_packet_size, kReadableBytes);
  hook->staged = connection.staged;
  if (connection.staged != nullptr) hook->persistence.emplace(*connection.staged);
  MQTTAsync handle = nullptr;
  // The address is replaced by the one of each connect.
  const int created = MQTTAsync_createWithOptions(
      &handle, "tcp://localhost:1883", client_id.c_str(),
      hook->persistence ? MQTTCLIENT_PERSISTENCE_USER : MQTTCLIENT_PERSISTENCE_NONE,
      hook->persistence ? hook->persistence->interface() : nullptr, &options);
  if (created != MQTTASYNC_SUCCESS) {
    return fail("cannot make an MQTT client for client id \"{}\": {}", client_id,
                MQTTAsync_strerror(created));
  }
  {
    MutexLock lock(hook->mutex);
    hook->events = &events;
  }
  const int set = MQTTAsync_setCallbacks(handle, hook, &connection_lost, &message_arrived, nullptr);
  if (set != MQTTASYNC_SUCCESS) {
    return fail("cannot set the callbacks of client id \"{}\": {}", client_id,
                MQTTAsync_strerror(set));
  }
  return std::make_unique<PahoClient>(handle, *hook);
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

PahoLibrary::PahoLibrary(Log& log) {
  for (const char* name : {"http_proxy", "https_proxy"})
    ::unsetenv(name);  // NOLINT(concurrency-mt-unsafe)
  trace_log = &log;
  MQTTAsync_init_options options = MQTTAsync_init_options_initializer;
  options.do_openssl_init = 1;
  MQTTAsync_global_init(&options);
  MQTTAsync_setTraceCallback(&trace);
  MQTTAsync_setTraceLevel(MQTTASYNC_TRACE_ERROR);
  wire::report_errors_to(&report_error);
}

PahoLibrary::~PahoLibrary() {
  trace_log = nullptr;
}

ClientFactory PahoLibrary::factory() {
  return &make_client;
}

}  // namespace triggerd::mqtt
