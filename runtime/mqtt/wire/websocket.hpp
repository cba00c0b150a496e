// The client's side of one WebSocket connection (RFC 6455) that carries MQTT (section 6 of
// MQTT 5.0): bytes in, bytes out. Pure: it has no socket, no clock and no thread.
//
//   WebSocket socket({"broker:8080", "/mqtt"});
//   send(socket.request());
//   for each read:  got = socket.receive(buffer, got);  // what is MQTT stands at its front
//                   send(socket.take_output());
//   socket.wrap(packet, out);  send(out);
//
// Threads. It has two sides, each of one thread at a time, and both may be at work at once: the
// receiving side, and the writing side (wrap() and close()). What is sent stays in the order in
// which it was made, where the caller sees to that.
#pragma once

#include <sys/uio.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "mqtt/wire/http_head.hpp"

namespace triggerd::mqtt::wire {

// What a close frame says of why (RFC 6455, section 7.4.1).
namespace close_code {
inline constexpr std::uint16_t kNormal = 1000;
inline constexpr std::uint16_t kGoingAway = 1001;
inline constexpr std::uint16_t kProtocolError = 1002;
inline constexpr std::uint16_t kUnsupported = 1003;
inline constexpr std::uint16_t kNone = 1005;  // never sent: the frame had no code
}  // namespace close_code

class WebSocket {
 public:
  struct Target {
    std::string host;  // the value of Host: as HTTP wants it: "broker:8080", "[::1]:8080"
    std::string path;  // "/mqtt"
  };
  // Fills a buffer with bytes that nobody can foretell. Both sides call it, each on its thread.
  using Random = std::function<void(unsigned char* to, std::size_t size)>;

  // Wants: no control characters or blanks in `target`. Without `random`: OpenSSL's RAND_bytes.
  explicit WebSocket(const Target& target, Random random = {});
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;

  // The upgrade that is asked for, to be sent first and as it is. [any]
  const std::string& request() const { return request_; }

  // ---- The receiving side ----

  // Takes `size` bytes as they came, in any cut, and leaves what is MQTT in them at the front of
  // `bytes`; returns how many that is. Nothing is kept of messages, however long they are.
  std::size_t receive(char* bytes, std::size_t size);
  // The server ended the connection. In the midst of the upgrade that is a fault().
  void end();
  // The upgrade was accepted.
  bool open() const { return open_; }
  // The server's close frame has come; nothing more is received.
  bool closed() const { return close_code_ != 0; }
  // Its code, kNone where it had none; 0 before.
  std::uint16_t close_code() const { return close_code_; }
  // For a log line: "closed the WebSocket: 1011 internal error (\"out of memory\")". Empty before.
  std::string close_reason() const;
  // What has to be sent for what was received: the answer to the newest ping, for one pong may
  // answer all before it; the answer to a close; the close that goes with a fault. Empty: nothing.
  std::string take_output();
  // Why it cannot go on, in words for a log line; empty where it can. Nothing more is received
  // then.
  const std::string& fault() const { return fault_; }

  // ---- The writing side ----

  // Appends one frame with all of `payload` to `out`; nothing once a close has left. Wants: the
  // upgrade was accepted.
  void wrap(std::span<const iovec> payload, std::string& out);
  void wrap(std::string_view payload, std::string& out);
  // Appends a close frame; nothing where one has left.
  void close(std::uint16_t code, std::string& out);

 private:
  using Mask = std::array<unsigned char, 4>;
  // Masks out of a stock, so that not each costs a call for random bytes.
  class Masks {
   public:
    Mask next(const Random& random);

   private:
    std::array<unsigned char, 256> stock_{};
    std::size_t used_ = 256;
  };
  static void add_frame(std::uint8_t first, std::span<const iovec> payload, const Mask& mask,
                        std::string& out);
  static void add_frame(std::uint8_t first, std::string_view payload, const Mask& mask,
                        std::string& out);

  bool receives() const { return fault_.empty() && !closed(); }
  std::size_t take_head(std::string_view bytes);
  void refuse_upgrade();
  std::string what_is_wrong_with_upgrade() const;
  std::size_t take_header(const char* bytes, std::size_t size);
  void look_at_beginning();
  void look_at_length();
  void begin_frame();
  void end_frame();
  void take_close();
  void fail(std::uint16_t code, std::string_view what);
  bool is_control() const { return (opcode_ & 0x08U) != 0; }

  const Random random_;
  std::string request_;
  std::string accept_;  // that the server has to answer with

  // The receiving side's.
  HttpHead head_;
  bool open_ = false;
  static constexpr std::size_t kShortHeader = 2;
  std::array<unsigned char, 10> header_{};  // of the frame that comes
  std::size_t header_has_ = 0;
  std::size_t header_size_ = kShortHeader;
  bool in_payload_ = false;
  std::uint8_t opcode_ = 0;
  std::uint64_t left_ = 0;   // of the payload
  bool in_message_ = false;  // whose last frame has not come
  std::string control_;      // the payload of a control frame, as far as it has come
  std::optional<std::string> pong_;
  std::optional<std::string> close_answer_;
  std::uint16_t close_code_ = 0;
  std::string close_text_;  // as it came
  std::string fault_;
  Masks answer_masks_;

  // The writing side's.
  Masks masks_;

  std::atomic<bool> closing_{false};  // a close frame has been made
};

}  // namespace triggerd::mqtt::wire
