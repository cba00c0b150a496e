// What Paho's callbacks know of their client: the context pointers that Paho hands back.
#pragma once

#include <MQTTAsync.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/mutex.hpp"
#include "mqtt/client.hpp"
#include "mqtt/packet/topic_aliases.hpp"
#include "mqtt/tls/tls_fwd.hpp"
#include "mqtt/wire/wire.hpp"

namespace triggerd::mqtt {

struct Call;

// Where callbacks find their client. It outlives the client until Paho has nothing more to do with
// the client's handle: see paho_handles.hpp.
struct Hook final : wire::PacketSink, std::enable_shared_from_this<Hook> {
  // What a server of MQTT 5 takes from us.
  struct Limits {
    int qos = 2;
    bool retained = true;
    std::uint64_t packet_size = 0;  // 0: any
  };

  // How many there are, of clients and of handles whose client is gone.
  static inline std::atomic<std::size_t> alive{0};
  Hook() { ++alive; }
  ~Hook() override { --alive; }
  Hook(const Hook&) = delete;
  Hook& operator=(const Hook&) = delete;

  Mutex mutex;
  ClientEvents* events TRIGGERD_GUARDED_BY(mutex) = nullptr;
  std::atomic<ConnectAttempt> attempt{0};
  bool v5 = false;                       // constant once made
  bool hold = false;                     // constant once made
  std::atomic<std::size_t> connects{0};  // under way
  Mutex calls_mutex;
  Call* last_call TRIGGERD_GUARDED_BY(calls_mutex) = nullptr;  // of those under way
  Wall batch_time{};     // the receive thread's: when the batch began
  TopicAliases aliases;  // the receive thread's
  Mutex link_mutex;
  std::shared_ptr<wire::Link> link TRIGGERD_GUARDED_BY(link_mutex);  // of the last connect
  bool reading_paused TRIGGERD_GUARDED_BY(link_mutex) = false;       // of this one and later ones
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

  // Why our side has ended the last connection; empty where it has not.
  std::string fault() {
    const auto of = current_link();
    return of ? of->fault() : std::string();
  }

  // wire::PacketSink (paho_packets.cpp)
  void on_link(const std::shared_ptr<wire::Link>& made) override;
  void on_packets(wire::Link& from, std::span<const wire::Taken> packets) override;
  void on_batch_end() override;

  template <class Tell>
  void tell(Tell tell) {
    MutexLock lock(mutex);
    if (events != nullptr) tell(*events);
  }
};

// One operation under way. Paho's context is its number and not its address: Paho does not call
// each back (a DISCONNECT for a connection that has just been lost ends without a word), and some
// twice. Those that it has forgotten are freed with the handle.
struct Call {
  enum class Kind { connect, other };
  Call(Hook& of, ConnectAttempt at, Kind is, std::size_t filter_count = 0, PublishDone told = {});
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  Hook& hook;
  const ConnectAttempt attempt;
  const Kind kind;
  const std::size_t filters;
  const PublishDone done;
  const std::uintptr_t number;

 private:
  friend void free_calls(Hook& hook);
  // Neighbours among those under way, in the hook's list.
  Call* before_ = nullptr;
  Call* after_ = nullptr;
};

// From now on the operation is under way. What Paho gets as its context.
void* begin_call(std::unique_ptr<Call> call);
// Ends it; null where it has ended before.
std::unique_ptr<Call> take_call(void* context);
// Those that Paho has forgotten.
void free_calls(Hook& hook);

// CONNACK was good: tells. (paho_client.cpp)
void tell_connected(Call& call, const ConnAck& connack);

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

}  // namespace triggerd::mqtt
