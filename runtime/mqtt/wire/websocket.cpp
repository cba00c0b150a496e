#include "mqtt/wire/websocket.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/base64.hpp"
#include "base/text.hpp"
#include "mqtt/packet/packet_check.hpp"

namespace triggerd::mqtt::wire {
namespace {

constexpr std::uint8_t kContinuation = 0;
constexpr std::uint8_t kText = 1;
constexpr std::uint8_t kBinary = 2;
constexpr std::uint8_t kClose = 8;
constexpr std::uint8_t kPing = 9;
constexpr std::uint8_t kPong = 10;

constexpr std::uint8_t kFinal = 0x80;     // in the first byte of a frame
constexpr std::uint8_t kReserved = 0x70;  // there too
constexpr std::uint8_t kMasked = 0x80;    // in the second
constexpr std::uint8_t kMostOfControl = 125;
constexpr std::uint8_t kLength16 = 126;
constexpr std::uint8_t kLength64 = 127;
constexpr std::size_t kShown = 200;

// Only where the system has no randomness at all does RAND_bytes fail.
void random_bytes(unsigned char* to, std::size_t size) {
  if (RAND_bytes(to, static_cast<int>(size)) != 1) static_cast<void>(::getentropy(to, size));
}

// RFC 6455, section 4.2.2.
std::string accept_of(const std::string& key) {
  const std::string text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  return base64({reinterpret_cast<const char*>(digest.data()), size});
}

// Whether `word` is one of the words with commas between them.
bool lists(const std::optional<std::string>& list, std::string_view word) {
  for (std::string_view rest = list ? *list : std::string_view(); !rest.empty();) {
    const std::string_view one = rest.substr(0, rest.find(','));
    if (same_word(trimmed(one), word)) return true;
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
  }
  return false;
}

// `offset`: of `bytes` in the payload.
void apply(const std::array<unsigned char, 4>& mask, std::size_t offset, char* bytes,
           std::size_t size) {
  std::array<char, sizeof(std::uint64_t)> turned{};
  for (std::size_t i = 0; i < turned.size(); ++i) {
    turned[i] = static_cast<char>(mask[(offset + i) % mask.size()]);
  }
  std::uint64_t wide = 0;
  std::memcpy(&wide, turned.data(), sizeof wide);
  for (; size >= sizeof wide; bytes += sizeof wide, size -= sizeof wide) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, sizeof word);
    word ^= wide;
    std::memcpy(bytes, &word, sizeof word);
  }
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(bytes[i] ^ turned[i]);
}

void append_number(std::string& out, std::uint64_t number, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(number >> (8 * i) & 0xff);
}

std::string_view name_of(std::uint8_t opcode) {
  switch (opcode) {
    case kClose:
      return "close";
    case kPing:
      return "ping";
    default:
      return "pong";
  }
}

bool is_opcode(std::uint8_t opcode) {
  return opcode <= kBinary || (opcode >= kClose && opcode <= kPong);
}

// Whether a frame may have it (RFC 6455, section 7.4, and the registry that it made).
bool is_close_code(std::uint16_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

std::string_view meaning_of(std::uint16_t code) {
  switch (code) {
    case close_code::kNormal:
      return " normal closure";
    case close_code::kGoingAway:
      return " going away";
    case close_code::kProtocolError:
      return " protocol error";
    case close_code::kUnsupported:
      return " unsupported data";
    case 1007:
      return " invalid data";
    case 1008:
      return " policy violation";
    case 1009:
      return " message too big";
    case 1010:
      return " extension missing";
    case 1011:
      return " internal error";
    case 1012:
      return " service restart";
    case 1013:
      return " try again later";
    case 1014:
      return " bad gateway";
    default:
      return "";
  }
}

}  // namespace

WebSocket::Mask WebSocket::Masks::next(const Random& random) {
  if (used_ == stock_.size()) {
    random(stock_.data(), stock_.size());
    used_ = 0;
  }
  Mask mask{};
  std::memcpy(mask.data(), stock_.data() + used_, mask.size());
  used_ += mask.size();
  return mask;
}

WebSocket::WebSocket(const Target& target, Random random)
    : random_(random ? std::move(random) : Random(&random_bytes)) {
  std::array<unsigned char, 16> bytes{};
  random_(bytes.data(), bytes.size());
  const std::string key = base64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  accept_ = accept_of(key);
  request_ = fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
      target.path, target.host, key);
}

// ---- The upgrade ----

std::size_t WebSocket::take_head(std::string_view bytes) {
  const std::size_t taken = head_.take(bytes);
  if (head_.fault() != HttpHead::Fault::none || (head_.whole() && head_.status() != 101)) {
    refuse_upgrade();
  } else if (head_.whole()) {
    const std::string wrong = what_is_wrong_with_upgrade();
    if (!wrong.empty()) {
      fault_ = "the server's answer to the WebSocket upgrade " + wrong;
      return taken;
    }
    open_ = true;
    head_ = HttpHead();
  }
  return taken;
}

void WebSocket::refuse_upgrade() {
  if (head_.fault() == HttpHead::Fault::not_http) {
    const std::string_view protocol = protocol_of(head_.came());
    fault_ = fmt::format("it {}: it answered with \"{}\"",
                         protocol.empty() ? "does not speak WebSocket"
                                          : fmt::format("speaks {}, not WebSocket", protocol),
                         printable(head_.came(), kShown));
    return;
  }
  if (head_.status() < 200) {
    fault_ = fmt::format("the server's answer to the WebSocket upgrade is longer than {} KiB",
                         HttpHead::kMost / 1024);
    return;
  }
  fault_ = "the server refused the WebSocket: HTTP " + head_.status_text();
  const auto location = head_.field("location");
  if (head_.status() / 100 == 3 && location) {
    fault_ += fmt::format(", to \"{}\"", printable(*location, kShown));
  }
}

std::string WebSocket::what_is_wrong_with_upgrade() const {
  if (!head_.malformed().empty()) {
    return fmt::format("has a line that is not a header field: \"{}\"", head_.malformed());
  }
  if (!lists(head_.field("upgrade"), "websocket")) return "has no \"Upgrade: websocket\"";
  if (!lists(head_.field("connection"), "upgrade")) return "has no \"Connection: upgrade\"";
  const std::string accept = head_.field("sec-websocket-accept").value_or("");
  if (accept.empty()) return "has no Sec-WebSocket-Accept";
  if (accept != accept_) return "has a wrong Sec-WebSocket-Accept";
  const std::string extensions = head_.field("sec-websocket-extensions").value_or("");
  if (!extensions.empty()) {
    return fmt::format("has an extension that was not asked for: \"{}\"",
                       printable(extensions, kShown));
  }
  // Some servers say nothing of it, and some have one name for every version of MQTT: that it is
  // MQTT is all that is asked for, and CONNACK says the rest.
  const std::string protocol = head_.field("sec-websocket-protocol").value_or("");
  if (!protocol.empty() && !same_word(protocol, "mqtt") && !same_word(protocol, "mqttv3.1")) {
    return fmt::format("has a protocol that was not asked for: \"{}\"",
                       printable(protocol, kShown));
  }
  return "";
}

void WebSocket::end() {
  if (open_ || !fault_.empty()) return;
  if (head_.status() >= 200) return refuse_upgrade();
  fault_ = "the server closed the connection before it had answered the WebSocket upgrade";
}

// ---- Frames of the server ----

std::size_t WebSocket::receive(char* bytes, std::size_t size) {
  std::size_t at = 0;
  std::size_t kept = 0;
  if (!open_ && receives()) at = take_head({bytes, size});
  while (at < size && open_ && receives()) {
    if (!in_payload_) {
      at += take_header(bytes + at, size - at);
      continue;
    }
    const auto some = static_cast<std::size_t>(std::min<std::uint64_t>(left_, size - at));
    if (is_control()) {
      control_.append(bytes + at, some);
    } else {
      if (kept != at) std::memmove(bytes + kept, bytes + at, some);
      kept += some;
    }
    at += some;
    left_ -= some;
    if (left_ == 0) end_frame();
  }
  return kept;
}

std::size_t WebSocket::take_header(const char* bytes, std::size_t size) {
  const std::size_t some = std::min(header_size_ - header_has_, size);
  std::memcpy(header_.data() + header_has_, bytes, some);
  header_has_ += some;
  if (header_has_ < header_size_) return some;
  if (header_size_ == kShortHeader) {
    look_at_beginning();
  } else {
    look_at_length();
  }
  if (fault_.empty() && header_has_ == header_size_) begin_frame();
  return some;
}

void WebSocket::look_at_beginning() {
  constexpr std::uint8_t kLow = 0x0f;
  const std::uint8_t reserved = header_[0] & kReserved;
  const auto length = static_cast<std::uint8_t>(header_[1] & ~kMasked);
  opcode_ = header_[0] & kLow;
  if (reserved != 0) {
    return fail(close_code::kProtocolError,
                fmt::format("a WebSocket frame with reserved bits (0x{:02x})", reserved));
  }
  if (!is_opcode(opcode_)) {
    return fail(close_code::kProtocolError,
                fmt::format("a WebSocket frame with the unknown opcode 0x{:x}", opcode_));
  }
  if ((header_[1] & kMasked) != 0) {
    return fail(close_code::kProtocolError, "a masked WebSocket frame");
  }
  if (is_control() && (header_[0] & kFinal) == 0) {
    return fail(close_code::kProtocolError,
                fmt::format("a fragmented WebSocket {}", name_of(opcode_)));
  }
  if (is_control() && length > kMostOfControl) {
    return fail(close_code::kProtocolError, fmt::format("a WebSocket {} of more than {} bytes",
                                                        name_of(opcode_), kMostOfControl));
  }
  if (opcode_ == kText) {
    return fail(close_code::kUnsupported, "a WebSocket text frame, but MQTT is binary");
  }
  if (opcode_ == kContinuation && !in_message_) {
    return fail(close_code::kProtocolError,
                "a WebSocket frame that continues a message which has not begun");
  }
  if (opcode_ == kBinary && in_message_) {
    return fail(close_code::kProtocolError,
                "a WebSocket message that begins before the last one has ended");
  }
  left_ = length;
  if (length == kLength16) header_size_ += sizeof(std::uint16_t);
  if (length == kLength64) header_size_ += sizeof(std::uint64_t);
}

void WebSocket::look_at_length() {
  left_ = 0;
  for (std::size_t i = kShortHeader; i < header_size_; ++i) left_ = left_ << 8U | header_[i];
  const bool is_long = header_size_ == header_.size();
  if (left_ >> 63U != 0) {
    return fail(close_code::kProtocolError, "a WebSocket frame of more than 2^63 bytes");
  }
  if (left_ <= (is_long ? UINT16_MAX : kMostOfControl)) {
    return fail(close_code::kProtocolError,
                fmt::format("a WebSocket frame whose length, {}, is encoded in {} bytes", left_,
                            header_size_ - kShortHeader));
  }
}

void WebSocket::begin_frame() {
  if (!is_control()) in_message_ = (header_[0] & kFinal) == 0;
  header_has_ = 0;
  header_size_ = kShortHeader;
  in_payload_ = true;
  control_.clear();
  if (left_ == 0) end_frame();
}

void WebSocket::end_frame() {
  in_payload_ = false;
  if (opcode_ == kPing) pong_ = control_;
  if (opcode_ == kClose) take_close();
}

void WebSocket::take_close() {
  if (control_.size() == 1) {
    return fail(close_code::kProtocolError, "a WebSocket close with a truncated code");
  }
  close_code_ = close_code::kNone;
  close_answer_ = "";
  if (control_.empty()) return;
  const auto byte = [this](std::size_t i) { return static_cast<unsigned char>(control_[i]); };
  const auto code = static_cast<std::uint16_t>(byte(0) << 8 | byte(1));
  close_text_ = control_.substr(sizeof code);
  close_answer_.emplace();
  append_number(*close_answer_, is_close_code(code) ? code : close_code::kProtocolError,
                sizeof code);
  // 0 is none that there is, and would say that it is open.
  close_code_ = code != 0 ? code : close_code::kNone;
}

std::string WebSocket::close_reason() const {
  if (!closed()) return "";
  if (close_code_ == close_code::kNone) return "closed the WebSocket without saying why";
  std::string text =
      fmt::format("closed the WebSocket: {}{}", close_code_, meaning_of(close_code_));
  if (!close_text_.empty()) text += fmt::format(" (\"{}\")", printable(close_text_, kShown));
  return text;
}

void WebSocket::fail(std::uint16_t code, std::string_view what) {
  fault_ = fmt::format("protocol error by the server: {}", what);
  close_answer_.emplace();
  append_number(*close_answer_, code, sizeof code);
}

std::string WebSocket::take_output() {
  std::string out;
  if (pong_ && !closing_) {
    add_frame(kFinal | kPong, *pong_, answer_masks_.next(random_), out);
  }
  pong_.reset();
  if (close_answer_ && !closing_.exchange(true)) {
    add_frame(kFinal | kClose, *close_answer_, answer_masks_.next(random_), out);
  }
  close_answer_.reset();
  return out;
}

// ---- Frames of ours ----

void WebSocket::add_frame(std::uint8_t first, std::span<const iovec> payload, const Mask& mask,
                          std::string& out) {
  std::size_t size = 0;
  for (const iovec& piece : payload) size += piece.iov_len;
  constexpr std::size_t kLongestHeader = 14;
  out.reserve(out.size() + kLongestHeader + size);
  out += static_cast<char>(first);
  if (size <= kMostOfControl) {
    out += static_cast<char>(kMasked | size);
  } else if (size <= UINT16_MAX) {
    out += static_cast<char>(kMasked | kLength16);
    append_number(out, size, sizeof(std::uint16_t));
  } else {
    out += static_cast<char>(kMasked | kLength64);
    append_number(out, size, sizeof(std::uint64_t));
  }
  out.append(reinterpret_cast<const char*>(mask.data()), mask.size());
  // Masked where it has been copied to, in blocks that are still in the processor's cache.
  constexpr std::size_t kBlock = std::size_t{16} * 1024;
  std::size_t offset = 0;
  for (const iovec& piece : payload) {
    std::string_view rest(static_cast<const char*>(piece.iov_base), piece.iov_len);
    while (!rest.empty()) {
      const std::string_view block = rest.substr(0, kBlock);
      out.append(block);
      apply(mask, offset, out.data() + out.size() - block.size(), block.size());
      offset += block.size();
      rest.remove_prefix(block.size());
    }
  }
}

void WebSocket::add_frame(std::uint8_t first, std::string_view payload, const Mask& mask,
                          std::string& out) {
  const iovec piece{const_cast<char*>(payload.data()), payload.size()};
  add_frame(first, std::span(&piece, 1), mask, out);
}

void WebSocket::wrap(std::span<const iovec> payload, std::string& out) {
  if (closing_) return;
  add_frame(kFinal | kBinary, payload, masks_.next(random_), out);
}

void WebSocket::wrap(std::string_view payload, std::string& out) {
  if (closing_) return;
  add_frame(kFinal | kBinary, payload, masks_.next(random_), out);
}

void WebSocket::close(std::uint16_t code, std::string& out) {
  if (closing_.exchange(true)) return;
  std::string payload;
  append_number(payload, code, sizeof code);
  add_frame(kFinal | kClose, payload, masks_.next(random_), out);
}

}  // namespace triggerd::mqtt::wire
