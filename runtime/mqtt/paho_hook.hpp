// What Paho's callbacks know of their client: the context pointers that Paho hands back.
#pragma once

#include <MQTTAsync.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "base/mutex.hpp"
#include "mqtt/client.hpp"
#include "mqtt/paho_persistence.hpp"
#include "mqtt/tls/tls_fwd.hpp"
#include "mqtt/topic_aliases.hpp"
#include "mqtt/wire/wire.hpp"

namespace triggerd::mqtt {

// Where callbacks find their client. Never freed, and neither is Paho's handle: destroying a handle
// races with Paho's own threads (its issues #1474, #1446). A runtime makes each client once.
struct Hook {
  // What a server of MQTT 5 takes from us.
  struct Limits {
    int qos = 2;
    bool retained = true;
    std::uint64_t packet_size = 0;  // 0: any
  };

  Mutex mutex;
  ClientEvents* events TRIGGERD_GUARDED_BY(mutex) = nullptr;
  std::atomic<Attempt> attempt{0};
  bool v5 = false;                             // constant once made
  bool hold = false;                           // constant once made
  std::size_t packet_limit = 0;                // constant once made
  std::optional<PahoPersistence> persistence;  // constant once made
  StagedMessages* staged = nullptr;            // constant once made
  Wall batch_time{};                           // the receive thread's: when the batch began
  TopicAliases aliases;                        // the receive thread's
  Mutex link_mutex;
  std::shared_ptr<wire::Link> link TRIGGERD_GUARDED_BY(link_mutex);  // of the connection there is
  Limits limits TRIGGERD_GUARDED_BY(link_mutex);

  Mutex tls_mutex;
  // Of the last connect: Paho opens its files while it connects.
  tls::MaterialPtr material TRIGGERD_GUARDED_BY(tls_mutex);
  std::string tls_error TRIGGERD_GUARDED_BY(tls_mutex);  // of this attempt, the first

  // Why TLS did not come about, where that is why there is no connection.
  std::optional<std::string> tls_failure() {
    MutexLock lock(tls_mutex);
    if (tls_error.empty()) return std::nullopt;
    return "TLS: " + tls_error;
  }

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

// One operation under way; freed by the callback that ends it.
struct Call {
  Hook& hook;
  Attempt attempt;
  std::size_t filters = 0;
  PublishDone done;
};

inline std::unique_ptr<Call> take_call(void* context) {
  return std::unique_ptr<Call>(static_cast<Call*>(context));
}

// CONNACK was good: sets the connection's link up, and tells. (paho_client.cpp)
void tell_connected(Call& call, const Welcome& welcome);

// The callbacks of MQTT 5. (paho_callbacks5.cpp)
void connect_succeeded5(void* context, MQTTAsync_successData5* data);
void connect_failed5(void* context, MQTTAsync_failureData5* data);
void subscribe_succeeded5(void* context, MQTTAsync_successData5* data);
void subscribe_failed5(void* context, MQTTAsync_failureData5* data);
void unsubscribe_succeeded5(void* context, MQTTAsync_successData5* data);
void unsubscribe_failed5(void* context, MQTTAsync_failureData5* data);
void disconnect_succeeded5(void* context, MQTTAsync_successData5* data);
void disconnect_failed5(void* context, MQTTAsync_failureData5* data);
void publish_succeeded5(void* context, MQTTAsync_successData5* data);
void publish_failed5(void* context, MQTTAsync_failureData5* data);
// The server says DISCONNECT. `context` is the Hook.
void server_disconnects(void* context, MQTTProperties* properties, MQTTReasonCodes code);
// Fills what MQTT 5 has of a received message, which `hook` got as `from`. False: its topic is not
// known, since the server uses a topic alias that it never gave.
bool complete_message5(Hook& hook, MQTTAsync_message& from, Message& message);

}  // namespace triggerd::mqtt
