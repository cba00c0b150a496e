// WebSocketFront: a server of WebSockets, with TLS or without, in front of one that speaks MQTT
// over TCP. What that one says is cut into frames as a test wants it.
//
//   ScriptedBroker broker;
//   WebSocketFront front({.mqtt_port = broker.port(), .framer = in_frames_of(3)});
//   ... ws://127.0.0.1:{front.port()}/mqtt
#pragma once

#include <openssl/ssl.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/file.hpp"
#include "base/mutex.hpp"
#include "support/certificate_authority.hpp"
#include "support/eventually.hpp"

namespace triggerd::test {

// The first byte of a frame.
namespace websocket {
inline constexpr std::uint8_t kBegins = 0x02;     // a message of MQTT that goes on
inline constexpr std::uint8_t kGoesOn = 0x00;     // and on
inline constexpr std::uint8_t kGoesOnEnd = 0x80;  // and ends
inline constexpr std::uint8_t kText = 0x81;
inline constexpr std::uint8_t kBinary = 0x82;
inline constexpr std::uint8_t kClose = 0x88;
inline constexpr std::uint8_t kPing = 0x89;
inline constexpr std::uint8_t kPong = 0x8a;
}  // namespace websocket

// A frame as a server sends it.
std::string server_frame(std::uint8_t first, std::string_view payload);
std::string server_close(std::uint16_t code, std::string_view reason = {});
// "HTTP/1.1 101" with what has to be in it; `more` are lines, each with its end.
std::string upgrade_answer(const std::string& accept, const std::string& more = {});

// Makes frames of what came from the MQTT server in one read, at most 64 KiB. Called on the thread
// of its connection, and may remember things of it.
using Framer = std::function<std::string(std::string_view bytes)>;
// Of a connection, by its number.
using FramerOf = std::function<Framer(std::size_t connection)>;
// Each of `size` bytes at most; SIZE_MAX: one for each read.
FramerOf in_frames_of(std::size_t size);
// Each read is one message, in fragments of `size` bytes; behind each but the last one is
// `between`.
FramerOf in_fragments_of(std::size_t size, const std::string& between = {});
// Frames, fragments and pings by chance, with sizes from 0 to 100,000; another for each connection
// and the same in each run.
FramerOf in_any_frames();

struct WebSocketFrontOptions {
  std::uint16_t mqtt_port = 0;
  std::optional<Identity> identity = std::nullopt;  // with one: TLS
  // The answer to the upgrade, in pieces that leave one by one. `accept` is what is right. Where it
  // is none that accepts, the connection ends behind it. Without: the right answer, in one piece.
  std::function<std::vector<std::string>(const std::string& accept)> answer = nullptr;
  FramerOf framer = in_frames_of(SIZE_MAX);
};

// A control frame that a client sent.
struct ControlFrame {
  std::size_t connection;
  std::uint8_t first;
  std::string payload;
};

// Threads: one of its own for each connection; every function may be called from any other.
class WebSocketFront {
 public:
  explicit WebSocketFront(WebSocketFrontOptions options);
  ~WebSocketFront();
  WebSocketFront(const WebSocketFront&) = delete;
  WebSocketFront& operator=(const WebSocketFront&) = delete;

  std::uint16_t port() const { return port_; }
  // The connections that have been upgraded so far; their numbers are from 0, in that order.
  std::size_t upgraded() const;
  // The bytes go to the client as they are, between two reads from the MQTT server.
  void send(std::size_t connection, const std::string& bytes);
  // The first control frame of a client that suits.
  std::optional<ControlFrame> wait_for(const std::function<bool(const ControlFrame&)>& suits,
                                       Millis timeout = kPatience);
  // What clients did that they may not, such as a frame without a mask; empty: nothing.
  std::string fault() const;

 private:
  struct Connection;
  struct Waiting {
    UniqueFd wake;  // an eventfd
    std::string bytes;
  };

  void accept();
  void serve(Connection& connection);
  bool upgrade(Connection& connection);
  void carry(Connection& connection);
  bool read_client(Connection& connection);
  bool take_frames(Connection& connection);
  bool write_client(Connection& connection, std::string_view bytes);

  const WebSocketFrontOptions options_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;

  mutable Mutex mutex_;
  bool ending_ TRIGGERD_GUARDED_BY(mutex_) = false;
  std::vector<std::unique_ptr<Connection>> connections_ TRIGGERD_GUARDED_BY(mutex_);
  std::vector<Waiting> waiting_ TRIGGERD_GUARDED_BY(mutex_);  // of those that were upgraded
  std::vector<ControlFrame> controls_ TRIGGERD_GUARDED_BY(mutex_);
  std::string fault_ TRIGGERD_GUARDED_BY(mutex_);

  std::thread acceptor_;
};

}  // namespace triggerd::test
