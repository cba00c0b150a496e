// TestClient: the other end of a conversation with an MQTT server, on libmosquitto, so that a fault
// of ours cannot cancel itself out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "support/eventually.hpp"

struct mosquitto;
struct mosquitto_message;

namespace triggerd::test {

struct Message {
  std::string topic;
  std::string payload;
  int qos = 0;
  bool retain = false;
  friend bool operator==(const Message&, const Message&) = default;
};
std::ostream& operator<<(std::ostream& out, const Message& message);

struct ClientOptions {
  std::string client_id = {};  // empty: the server makes one up; clean then
  bool clean_session = true;
  std::string user_name = {};  // empty: none
  std::string password = {};
  std::optional<Message> will = std::nullopt;
};

// What CONNACK said where it was not "accepted"; -1 where none came.
class ConnectRefused : public std::runtime_error {
 public:
  ConnectRefused(const std::string& what, int return_code)
      : std::runtime_error(what), return_code_(return_code) {}
  int return_code() const { return return_code_; }

 private:
  int return_code_;
};

// Connected from the start, once: it never reconnects by itself.
// Threads: one of its own; every function may be called from any other.
class TestClient {
 public:
  // Throws ConnectRefused.
  explicit TestClient(std::uint16_t port, const ClientOptions& options = {});
  // Disconnects in good order, where it is still connected.
  ~TestClient();
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  bool session_present() const;
  bool connected() const;

  // Publishes and waits until the server has it: PUBACK, PUBCOMP, or with QoS 0 the write.
  [[nodiscard]] bool publish(const std::string& topic, std::string_view payload, int qos = 1,
                             bool retain = false, Millis timeout = kPatience);
  // For streams: publishes without waiting, and waits for all that was published.
  void publish_later(const std::string& topic, std::string_view payload, int qos = 1,
                     bool retain = false);
  [[nodiscard]] bool wait_published(Millis timeout = kPatience);

  // The return code of SUBACK: the QoS granted, or 128. nullopt: no SUBACK came.
  [[nodiscard]] std::optional<int> subscribe(const std::string& filter, int qos = 1,
                                             Millis timeout = kPatience);
  [[nodiscard]] bool unsubscribe(const std::string& filter, Millis timeout = kPatience);

  // In the order of their arrival, since the connect.
  std::vector<Message> messages() const;
  // The first message from index `from` on that suits.
  std::optional<Message> wait_for(const std::function<bool(const Message&)>& suits,
                                  std::size_t from = 0, Millis timeout = kPatience);
  std::optional<Message> wait_for_topic(std::string_view topic, std::size_t from = 0,
                                        Millis timeout = kPatience);
  // Whether there are at least `count` messages.
  [[nodiscard]] bool wait_for_count(std::size_t count, Millis timeout = kPatience);

  [[nodiscard]] bool wait_for_disconnect(Millis timeout = kPatience);
  // Sends DISCONNECT, which discards the will, and waits for the end.
  void disconnect();
  // Ends the connection without a word, so that the server publishes the will.
  void drop();

 private:
  struct Callbacks;
  struct Deleter {
    void operator()(mosquitto* client) const;
  };

  template <class Condition>
  bool wait_until(Condition&& condition, Millis timeout) TRIGGERD_REQUIRES(mutex_);
  int send(const std::string& topic, std::string_view payload, int qos, bool retain);
  void run();

  std::unique_ptr<mosquitto, Deleter> client_;  // itself thread-safe

  mutable Mutex mutex_;
  CondVar changed_;
  std::optional<int> connack_ TRIGGERD_GUARDED_BY(mutex_);
  bool session_present_ TRIGGERD_GUARDED_BY(mutex_) = false;
  bool ended_ TRIGGERD_GUARDED_BY(mutex_) = false;
  std::vector<Message> messages_ TRIGGERD_GUARDED_BY(mutex_);
  // By packet id: published minus acknowledged. The acknowledgement may be counted first.
  std::map<int, int> publishing_ TRIGGERD_GUARDED_BY(mutex_);
  std::map<int, int> granted_ TRIGGERD_GUARDED_BY(mutex_);
  std::map<int, int> unsubscribed_ TRIGGERD_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace triggerd::test
