// ScriptedBroker: the server's side of MQTT on loopback, doing what a test tells it to. What it
// says is of the version that the client's CONNECT was of, 3.1.1 or 5.
//
// It is no server: nothing is routed and no session is kept. It answers as a willing server would,
// unless told otherwise, in three ways:
//   expect()  the next packet that suits gets this reply, once
//   on()      every packet of a type gets its reply from this handler
//   send()    says something unasked
// and it records every byte both ways, with times.
//
//   ScriptedBroker broker;
//   broker.on(packet::Type::subscribe, grant({0x80}));
//   broker.expect(packet::Type::publish, Reply().wait(50ms).send(packet::PubAck{1}).close());
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/mutex.hpp"
#include "support/eventually.hpp"
#include "support/mqtt_packet.hpp"

namespace triggerd::test {

// What the broker does on one connection, step by step. What is left of it when the connection ends
// is forgotten.
class Reply {
 public:
  // Bytes leave in one write each, so that two sends are two segments where the client keeps up.
  Reply& send(std::string bytes);
  Reply& send(const packet::Any& packet);
  // The first `at` bytes, a pause, and the rest.
  Reply& send_split(std::string_view bytes, std::size_t at, Millis pause = Millis(5));
  // Delays the steps behind it and nothing else: other replies overtake this one meanwhile.
  Reply& wait(Millis time);
  // Ends the connection after what was sent before: in good order (FIN), or not (RST).
  Reply& close();
  Reply& reset();

 private:
  friend class ScriptedBroker;
  struct Close {
    bool reset;
  };
  using Step = std::variant<std::string, packet::Any, Millis, Close>;
  std::deque<Step> steps_;
};

// A packet from a client.
struct Received {
  std::size_t index = 0;       // among all packets, from 0: index + 1 is where to look for the next
  std::size_t connection = 0;  // from 0, in the order of their arrival
  Monotonic at;
  packet::Any packet;
};

template <class Packet>
struct ReceivedAs {
  std::size_t index;
  std::size_t connection;
  Monotonic at;
  Packet packet;
};

struct ConnectionRecord {
  enum class Ended { no, by_client, by_broker };
  struct Chunk {
    bool from_client;
    Monotonic at;  // read, or handed to the kernel
    std::string bytes;
  };
  Monotonic opened;
  Ended ended = Ended::no;
  std::string fault;  // why the client's bytes were no MQTT; the broker closed then
  std::vector<Chunk> chunks;

  std::string bytes(bool from_client) const;
};

// Called on the broker's thread. It may call send(), and nothing of the broker that waits.
using Handler = std::function<Reply(const Received&)>;
using PacketPredicate = std::function<bool(const packet::Any&)>;

// What a willing server answers, and what a broker does without a handler: CONNACK 0 without a
// session, the QoS asked for granted, every acknowledgement at once, closing on DISCONNECT.
Reply willing(const packet::Any& packet);
// For CONNECT: this CONNACK, and then a refused client is closed.
Handler connack(bool session_present, std::uint8_t return_code = 0);
// For SUBSCRIBE: the return codes for its filters; the last one again where there are more filters.
Handler grant(std::vector<std::uint8_t> return_codes);

// Threads: one of its own; every function may be called from any other.
class ScriptedBroker {
 public:
  ScriptedBroker();
  ~ScriptedBroker();
  ScriptedBroker(const ScriptedBroker&) = delete;
  ScriptedBroker& operator=(const ScriptedBroker&) = delete;

  std::uint16_t port() const { return port_; }

  void on(packet::Type type, Handler handler);
  // Expectations are asked in the order they were made; the first that suits is used up.
  void expect(packet::Type type, Reply reply) { expect(type, nullptr, std::move(reply)); }
  void expect(packet::Type type, PacketPredicate suits, Reply reply);
  // Whether every expectation was used up within `timeout`.
  [[nodiscard]] bool wait_until_met(Millis timeout = kPatience);

  // Starts `reply` on a connection. Nothing happens where it has ended.
  void send(std::size_t connection, Reply reply);

  // The first packet from index `from` on that suits.
  std::optional<Received> wait_for_packet(const std::function<bool(const Received&)>& suits,
                                          std::size_t from = 0, Millis timeout = kPatience);
  template <class Packet, class Predicate>
  std::optional<ReceivedAs<Packet>> wait_for(Predicate&& suits, std::size_t from = 0,
                                             Millis timeout = kPatience) {
    const auto found = wait_for_packet(
        [&](const Received& received) {
          const Packet* packet = std::get_if<Packet>(&received.packet);
          return packet != nullptr && suits(*packet);
        },
        from, timeout);
    if (!found) return std::nullopt;
    return ReceivedAs<Packet>{found->index, found->connection, found->at,
                              std::get<Packet>(found->packet)};
  }
  template <class Packet>
  std::optional<ReceivedAs<Packet>> wait_for(std::size_t from = 0, Millis timeout = kPatience) {
    return wait_for<Packet>([](const Packet&) { return true; }, from, timeout);
  }
  // nullopt: it has not ended within `timeout`.
  std::optional<ConnectionRecord::Ended> wait_for_end(std::size_t connection,
                                                      Millis timeout = kPatience);

  std::vector<Received> packets() const;
  std::vector<ConnectionRecord> connections() const;

 private:
  struct Connection;
  struct Expectation {
    packet::Type type;
    PacketPredicate suits;
    Reply reply;
  };
  struct Command {
    std::size_t connection;
    Reply reply;
  };

  void run();
  bool take_commands();
  void accept_all();
  void read_from(Connection& connection);
  void handle(Connection& connection, packet::Any packet);
  void advance(Connection& connection);
  void write_to(Connection& connection);
  void end(Connection& connection, ConnectionRecord::Ended how, std::string fault = {});
  ssize_t send_recorded(const Connection& connection, std::string_view bytes);
  Reply reply_to(const Received& received);

  // Constant after construction.
  UniqueFd listener_;
  UniqueFd wake_;  // an eventfd
  std::uint16_t port_ = 0;

  // The broker thread's own.
  std::list<Connection> open_;

  mutable Mutex mutex_;
  CondVar changed_;
  bool stop_ TRIGGERD_GUARDED_BY(mutex_) = false;
  std::map<packet::Type, Handler> handlers_ TRIGGERD_GUARDED_BY(mutex_);
  std::list<Expectation> expectations_ TRIGGERD_GUARDED_BY(mutex_);
  std::deque<Command> commands_ TRIGGERD_GUARDED_BY(mutex_);
  std::vector<Received> packets_ TRIGGERD_GUARDED_BY(mutex_);
  std::vector<ConnectionRecord> records_ TRIGGERD_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace triggerd::test
