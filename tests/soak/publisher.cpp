#include "soak/publisher.hpp"

#include <mosquitto.h>

#include <algorithm>
#include <stdexcept>

namespace triggerd::soak {
namespace {

constexpr int kKeepAliveSeconds = 10;
constexpr int kLoopMillis = 5;
constexpr unsigned kUnfinishedAtOnce = 20;
constexpr Millis kBurst{1000};  // what is due for that long is published at once
constexpr Millis kReconnectDelay{20};

// Both QoS spread evenly, streams in turn.
std::vector<Numbered> all_messages(const PublisherOptions& options) {
  std::vector<Numbered> messages;
  const std::uint64_t total = std::uint64_t{options.qos1} + options.qos2;
  messages.reserve(total);
  unsigned made[3] = {};
  for (std::uint64_t i = 0; i < total; ++i) {
    const unsigned qos = made[2] * total < options.qos2 * i || made[1] == options.qos1 ? 2 : 1;
    const unsigned count = made[qos]++;
    messages.push_back({qos, count % options.streams, count / options.streams});
  }
  return messages;
}

// Failures of mosquitto_publish() before it has queued the message.
bool is_refusal(int code) {
  switch (code) {
    case MOSQ_ERR_INVAL:
    case MOSQ_ERR_NOMEM:
    case MOSQ_ERR_PAYLOAD_SIZE:
    case MOSQ_ERR_MALFORMED_UTF8:
    case MOSQ_ERR_QOS_NOT_SUPPORTED:
    case MOSQ_ERR_OVERSIZE_PACKET:
      return true;
    default:
      return false;
  }
}

}  // namespace

// On the publisher's thread, from within mosquitto_loop().
struct Publisher::Callbacks {
  static Publisher& of(void* self) { return *static_cast<Publisher*>(self); }

  static void connected(mosquitto*, void* self, int code, int flags) {
    Publisher& publisher = of(self);
    if (code != 0) return;
    if (publisher.connects_++ > 0 && (flags & 1) == 0) {
      publisher.set_fault("the server has forgotten the publisher's session");
    }
    publisher.connected_ = true;
  }
  static void disconnected(mosquitto*, void* self, int) { of(self).connected_ = false; }
  static void published(mosquitto*, void* self, int id) {
    Publisher& publisher = of(self);
    const auto found = publisher.unfinished_.find(id);
    if (found == publisher.unfinished_.end()) return;  // acknowledged twice
    {
      MutexLock lock(publisher.mutex_);
      publisher.acknowledged_[found->second] = true;
    }
    publisher.unfinished_.erase(found);
    ++publisher.acknowledged_count_;
  }
};

void Publisher::Deleter::operator()(mosquitto* client) const {
  mosquitto_destroy(client);
}

Publisher::Publisher(const PublisherOptions& options)
    : options_(options),
      messages_(all_messages(options)),
      client_((mosquitto_lib_init(), mosquitto_new("soak-publisher", false, this))),
      acknowledged_(messages_.size()) {
  mosquitto* const client = client_.get();
  if (client == nullptr) throw std::runtime_error("the publisher cannot be made");
  mosquitto_connect_with_flags_callback_set(client, Callbacks::connected);
  mosquitto_disconnect_callback_set(client, Callbacks::disconnected);
  mosquitto_publish_callback_set(client, Callbacks::published);
  mosquitto_max_inflight_messages_set(client, kUnfinishedAtOnce);
  const int code = mosquitto_connect(client, "127.0.0.1", options.port, kKeepAliveSeconds);
  if (code != MOSQ_ERR_SUCCESS) {
    throw std::runtime_error(std::string("the publisher cannot connect: ") +
                             mosquitto_strerror(code));
  }
  began_ = std::chrono::steady_clock::now();
  thread_ = std::thread([this] { run(); });
}

Publisher::~Publisher() {
  stop_ = true;
  thread_.join();
}

void Publisher::run() {
  while (!stop_) {
    if (connected_) publish_what_is_due();
    if (mosquitto_loop(client_.get(), kLoopMillis, 1) == MOSQ_ERR_SUCCESS) continue;
    connected_ = false;
    std::this_thread::sleep_for(kReconnectDelay);
    mosquitto_reconnect(client_.get());  // where it fails, so does the next loop
  }
}

std::size_t Publisher::due() const {
  const auto bursts = (std::chrono::steady_clock::now() - began_) / kBurst + 1;
  const auto of = std::max<std::int64_t>(options_.span / kBurst, 1);
  return std::min(messages_.size(), messages_.size() * static_cast<std::size_t>(bursts) /
                                        static_cast<std::size_t>(of));
}

void Publisher::publish_what_is_due() {
  const std::size_t until = due();
  while (published_ < until && unfinished_.size() < kUnfinishedAtOnce) {
    const std::size_t index = published_;
    const Numbered& message = messages_[index];
    const std::string payload = payload_of(message);
    int id = 0;
    const int code = mosquitto_publish(client_.get(), &id, topic_of(message).c_str(),
                                       static_cast<int>(payload.size()), payload.data(),
                                       static_cast<int>(message.qos), false);
    if (is_refusal(code)) {
      set_fault(std::string("libmosquitto refuses to publish: ") + mosquitto_strerror(code));
      stop_ = true;
      return;
    }
    unfinished_[id] = index;
    ++published_;
    if (code != MOSQ_ERR_SUCCESS) return;
  }
}

std::vector<Numbered> Publisher::acknowledged() const {
  std::vector<Numbered> found;
  MutexLock lock(mutex_);
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    if (acknowledged_[i]) found.push_back(messages_[i]);
  }
  return found;
}

std::string Publisher::fault() const {
  MutexLock lock(mutex_);
  return fault_;
}

void Publisher::set_fault(const std::string& fault) {
  MutexLock lock(mutex_);
  if (fault_.empty()) fault_ = fault;
}

}  // namespace triggerd::soak
