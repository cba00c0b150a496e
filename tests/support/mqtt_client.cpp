#include "support/mqtt_client.hpp"

#include <mosquitto.h>
#include <sys/socket.h>

#include <algorithm>
#include <ostream>
#include <utility>

#include "base/text.hpp"

namespace triggerd::test {
namespace {

constexpr int kKeepAliveSeconds = 60;
constexpr int kLoopMillis = 1000;

void check(int code, const char* what) {
  if (code == MOSQ_ERR_SUCCESS) return;
  throw std::runtime_error(std::string("the test client cannot ") + what + ": " +
                           mosquitto_strerror(code));
}

// Never undone: another client of this process may be in use until its very end.
void use_library() {
  static const int once = mosquitto_lib_init();
  check(once, "use libmosquitto");
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Message& message) {
  out << message.topic << " (QoS " << message.qos << (message.retain ? ", retained" : "") << ") ";
  return out << '"' << printable(message.payload, 200) << '"';
}

// libmosquitto's callbacks, on the client's thread.
struct TestClient::Callbacks {
  static TestClient& of(void* self) { return *static_cast<TestClient*>(self); }

  static void connected(mosquitto*, void* self, int code, int flags) {
    TestClient& client = of(self);
    MutexLock lock(client.mutex_);
    client.connack_ = code;
    client.session_present_ = (flags & 1) != 0;
    client.changed_.notify_all();
  }
  static void published(mosquitto*, void* self, int id) {
    TestClient& client = of(self);
    MutexLock lock(client.mutex_);
    if (--client.publishing_[id] == 0) client.publishing_.erase(id);
    client.changed_.notify_all();
  }
  static void subscribed(mosquitto*, void* self, int id, int count, const int* codes) {
    TestClient& client = of(self);
    MutexLock lock(client.mutex_);
    client.granted_[id] = count > 0 ? codes[0] : -1;
    client.changed_.notify_all();
  }
  static void unsubscribed(mosquitto*, void* self, int id) {
    TestClient& client = of(self);
    MutexLock lock(client.mutex_);
    client.unsubscribed_[id] = 1;
    client.changed_.notify_all();
  }
  static void received(mosquitto*, void* self, const mosquitto_message* message) {
    TestClient& client = of(self);
    const char* payload = static_cast<const char*>(message->payload);
    const auto size = static_cast<std::size_t>(message->payloadlen);
    MutexLock lock(client.mutex_);
    client.messages_.push_back({message->topic,
                                payload == nullptr ? std::string() : std::string(payload, size),
                                message->qos, message->retain});
    client.changed_.notify_all();
  }
};

void TestClient::Deleter::operator()(mosquitto* client) const {
  mosquitto_destroy(client);
}

TestClient::TestClient(std::uint16_t port, const ClientOptions& options) {
  use_library();
  const char* id = options.client_id.empty() ? nullptr : options.client_id.c_str();
  client_.reset(mosquitto_new(id, options.clean_session, this));
  if (!client_) throw std::runtime_error("the test client cannot be made");
  mosquitto* client = client_.get();
  check(mosquitto_threaded_set(client, true), "be used from several threads");
  mosquitto_connect_with_flags_callback_set(client, Callbacks::connected);
  mosquitto_publish_callback_set(client, Callbacks::published);
  mosquitto_subscribe_callback_set(client, Callbacks::subscribed);
  mosquitto_unsubscribe_callback_set(client, Callbacks::unsubscribed);
  mosquitto_message_callback_set(client, Callbacks::received);
  if (!options.user_name.empty()) {
    check(mosquitto_username_pw_set(client, options.user_name.c_str(), options.password.c_str()),
          "set its credentials");
  }
  if (options.will) {
    const Message& will = *options.will;
    check(mosquitto_will_set(client, will.topic.c_str(), static_cast<int>(will.payload.size()),
                             will.payload.data(), will.qos, will.retain),
          "set its will");
  }
  const int code = mosquitto_connect(client, "127.0.0.1", port, kKeepAliveSeconds);
  if (code != MOSQ_ERR_SUCCESS) {
    throw ConnectRefused("cannot reach port " + std::to_string(port), -1);
  }
  thread_ = std::thread([this] { run(); });

  std::optional<int> connack;
  {
    MutexLock lock(mutex_);
    wait_until([this]() TRIGGERD_REQUIRES(mutex_) { return connack_.has_value(); }, kPatience);
    connack = connack_;
  }
  if (connack == 0) return;
  drop();
  thread_.join();
  throw ConnectRefused(connack ? mosquitto_connack_string(*connack) : "no CONNACK came",
                       connack.value_or(-1));
}

TestClient::~TestClient() {
  disconnect();
  thread_.join();
}

template <class Condition>
bool TestClient::wait_until(Condition&& condition, Millis timeout) {
  const Monotonic deadline = std::chrono::steady_clock::now() + timeout;
  bool in_time = true;
  while (!condition()) {
    if (ended_ || !in_time) return false;
    in_time = changed_.wait_until(mutex_, deadline) == std::cv_status::no_timeout;
  }
  return true;
}

void TestClient::run() {
  while (mosquitto_loop(client_.get(), kLoopMillis, 1) == MOSQ_ERR_SUCCESS) {
  }
  MutexLock lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

bool TestClient::session_present() const {
  MutexLock lock(mutex_);
  return session_present_;
}

bool TestClient::connected() const {
  MutexLock lock(mutex_);
  return connack_ == 0 && !ended_;
}

int TestClient::send(const std::string& topic, std::string_view payload, int qos, bool retain) {
  int id = 0;
  check(mosquitto_publish(client_.get(), &id, topic.c_str(), static_cast<int>(payload.size()),
                          payload.data(), qos, retain),
        "publish");
  MutexLock lock(mutex_);
  if (++publishing_[id] == 0) publishing_.erase(id);
  return id;
}

bool TestClient::publish(const std::string& topic, std::string_view payload, int qos, bool retain,
                         Millis timeout) {
  if (!connected()) return false;
  const int id = send(topic, payload, qos, retain);
  MutexLock lock(mutex_);
  return wait_until([this, id]() TRIGGERD_REQUIRES(mutex_) { return !publishing_.contains(id); },
                    timeout);
}

void TestClient::publish_later(const std::string& topic, std::string_view payload, int qos,
                               bool retain) {
  send(topic, payload, qos, retain);
}

bool TestClient::wait_published(Millis timeout) {
  MutexLock lock(mutex_);
  return wait_until([this]() TRIGGERD_REQUIRES(mutex_) { return publishing_.empty(); }, timeout);
}

std::optional<int> TestClient::subscribe(const std::string& filter, int qos, Millis timeout) {
  int id = 0;
  check(mosquitto_subscribe(client_.get(), &id, filter.c_str(), qos), "subscribe");
  MutexLock lock(mutex_);
  if (!wait_until([this, id]() TRIGGERD_REQUIRES(mutex_) { return granted_.contains(id); },
                  timeout)) {
    return std::nullopt;
  }
  return std::exchange(granted_.extract(id).mapped(), 0);
}

bool TestClient::unsubscribe(const std::string& filter, Millis timeout) {
  int id = 0;
  check(mosquitto_unsubscribe(client_.get(), &id, filter.c_str()), "unsubscribe");
  MutexLock lock(mutex_);
  const bool done = wait_until(
      [this, id]() TRIGGERD_REQUIRES(mutex_) { return unsubscribed_.contains(id); }, timeout);
  unsubscribed_.erase(id);
  return done;
}

std::vector<Message> TestClient::messages() const {
  MutexLock lock(mutex_);
  return messages_;
}

std::optional<Message> TestClient::wait_for(const std::function<bool(const Message&)>& suits,
                                            std::size_t from, Millis timeout) {
  std::size_t next = from;
  MutexLock lock(mutex_);
  const auto found = [&]() TRIGGERD_REQUIRES(mutex_) {
    while (next < messages_.size() && !suits(messages_[next])) ++next;
    return next < messages_.size();
  };
  if (!wait_until(found, timeout)) return std::nullopt;
  return messages_[next];
}

std::optional<Message> TestClient::wait_for_topic(std::string_view topic, std::size_t from,
                                                  Millis timeout) {
  return wait_for([topic](const Message& message) { return message.topic == topic; }, from,
                  timeout);
}

bool TestClient::wait_for_count(std::size_t count, Millis timeout) {
  MutexLock lock(mutex_);
  return wait_until([this, count]() TRIGGERD_REQUIRES(mutex_) { return messages_.size() >= count; },
                    timeout);
}

bool TestClient::wait_for_disconnect(Millis timeout) {
  MutexLock lock(mutex_);
  return wait_until([this]() TRIGGERD_REQUIRES(mutex_) { return ended_; }, timeout);
}

void TestClient::disconnect() {
  mosquitto_disconnect(client_.get());
  if (!wait_for_disconnect(Millis(5000))) drop();
}

void TestClient::drop() {
  const int socket = mosquitto_socket(client_.get());
  if (socket >= 0) ::shutdown(socket, SHUT_RDWR);
  static_cast<void>(wait_for_disconnect());
}

}  // namespace triggerd::test
