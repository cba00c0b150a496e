// What Paho's callbacks know of their client: Paho hands it back to them as their context.
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

struct PendingCall;

// Where callbacks find their client. It outlives the client until Paho has nothing more to do with
// the client's handle: see handles.hpp. Each member says who may use it; the mutexes are leaves.
struct CallbackContext final : wire::PacketSink, std::enable_shared_from_this<CallbackContext> {
  // How many there are: of clients, and of handles whose client is gone.
  static inline std::atomic<std::size_t> alive{0};
  explicit CallbackContext(const Clock& its_clock) : clock(its_clock) { ++alive; }
  ~CallbackContext() override { --alive; }
  CallbackContext(const CallbackContext&) = delete;
  CallbackContext& operator=(const CallbackContext&) = delete;

  const Clock& clock;
  bool v5 = false;                         // constant once made
  bool hold = false;                       // constant once made: acknowledgements wait
  std::atomic<ConnectAttempt> attempt{0};  // the newest
  std::atomic<std::size_t> connects{0};    // under way
  Wall batch_time{};                       // the receive thread's: when the batch began
  TopicAliases aliases;                    // the receive thread's

  Mutex mutex;
  // Both are null once the client is gone.
  MessageListener* messages TRIGGERD_GUARDED_BY(mutex) = nullptr;
  ClientEvents* events TRIGGERD_GUARDED_BY(mutex) = nullptr;

  Mutex calls_mutex;
  PendingCall* last_call TRIGGERD_GUARDED_BY(calls_mutex) = nullptr;  // of a list

  Mutex link_mutex;
  std::shared_ptr<wire::Link> link TRIGGERD_GUARDED_BY(link_mutex);  // of the last connect
  bool reading_paused TRIGGERD_GUARDED_BY(link_mutex) = false;       // of this link and later ones
  PublishLimits limits TRIGGERD_GUARDED_BY(link_mutex);

  Mutex tls_mutex;
  // Of the last connect: Paho opens its files while it connects.
  tls::MaterialPtr material TRIGGERD_GUARDED_BY(tls_mutex);
  std::string tls_error TRIGGERD_GUARDED_BY(tls_mutex);  // the first of the last connect

  // Why the TLS handshake failed, where that is why there is no connection.
  std::optional<std::string> tls_failure() {
    MutexLock lock(tls_mutex);
    if (tls_error.empty()) return std::nullopt;
    return "TLS: " + tls_error;
  }

  std::shared_ptr<wire::Link> current_link() {
    MutexLock lock(link_mutex);
    return link;
  }

  // Why our side ended the last connection; empty where it did not.
  std::string fault() {
    const auto of = current_link();
    return of ? of->fault() : std::string();
  }

  // wire::PacketSink
  void on_link(const std::shared_ptr<wire::Link>& made) override;
  void on_packets(wire::Link& from, std::span<const wire::Taken> packets) override;
  void on_answers(std::vector<PublishAnswer> answers) override;
  void on_batch_end() override;

  // Calls `tell` with the client's events, unless the client is gone.
  template <class Tell>
  void tell(Tell tell) {
    MutexLock lock(mutex);
    if (events != nullptr) tell(*events);
  }
};

}  // namespace triggerd::mqtt
