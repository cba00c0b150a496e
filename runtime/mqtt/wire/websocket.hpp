// The client's side of one WebSocket connection (RFC 6455) that carries MQTT (section 6 of
// MQTT 5.0): bytes in, bytes out. Pure: it has no socket, no clock and no thread.
//
//   WebSocket socket({"broker:8080", "/mqtt"});
//   send(socket.request());
//   for each read:  got = socket.receive(buffer, got);  // MQTT is moved to the front of it
//                   send(socket.take_output());
//   socket.wrap(packet, out);  send(out);
//
// Threads. It has a receiving side and a writing side (wrap() and close()). Each is used by one
// thread at a time; both may be at work at once. It is up to the caller to send bytes in the order
// in which they were made.
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

// The reason that a close frame gives (RFC 6455, section 7.4.1).
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
    std::string host;  // as the Host field has it: "broker:8080", "[::1]:8080"
    std::string path;  // "/mqtt"
  };
  // Fills a buffer with bytes that nobody can predict. Both sides call it, each on its thread.
  using Random = std::function<void(unsigned char* to, std::size_t size)>;

  // Wants: no control characters or blanks in `target`. `random` is OpenSSL's RAND_bytes by
  // default.
  explicit WebSocket(const Target& target, Random random = {});
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;

  // The request for the upgrade, to be sent first and as it is. [any]
  const std::string& request() const { return request_; }

  // ---- The receiving side ----

  // Takes `size` bytes, in whatever pieces they come, and leaves what is MQTT in them at the front
  // of `bytes`; returns how many bytes that is. Messages are not kept, however long they are.
  std::size_t receive(char* bytes, std::size_t size);
  // The server ended the connection. During the upgrade that is a fault().
  void end();
  // The upgrade was accepted.
  bool open() const { return open_; }
  // The server's close frame has come; nothing more is received.
  bool closed() const { return close_code_ != 0; }
  // The code in it, or kNone; 0 before it has come.
  std::uint16_t close_code() const { return close_code_; }
  // For a log line: "closed the WebSocket: 1011 internal error (\"out of memory\")". Empty before.
  std::string close_reason() const;
  // What has to be sent in answer to what was received: the pong to the newest ping, which answers
  // all before it; the answer to a close; the close that goes with a fault. Empty: nothing.
  std::string take_output();
  // Why it cannot go on, in words for a log line; nothing more is received then. Empty while it
  // can.
  const std::string& fault() const { return fault_; }

  // ---- The writing side ----

  // Appends one frame with all of `payload` to `out`; nothing once a close has been made. Wants:
  // the upgrade was accepted.
  void wrap(std::span<const iovec> payload, std::string& out);
  void wrap(std::string_view payload, std::string& out);
  // Appends a close frame, unless one has been made.
  void close(std::uint16_t code, std::string& out);

 private:
  using Mask = std::array<unsigned char, 4>;
  // Takes masks from a stock, so that not every one costs a call for random bytes.
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
