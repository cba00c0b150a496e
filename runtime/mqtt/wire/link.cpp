#include "mqtt/wire/link.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "mqtt/publish_head.hpp"
#include "mqtt/wire/receiver.hpp"

namespace triggerd::mqtt::wire {
namespace {

constexpr std::size_t kAhead = 65'536;
// After a packet of kLarge bytes the next one is taken for large, too: to copy it would cost more
// than another call to the system, so only kLittle bytes are read ahead of it.
constexpr std::size_t kLarge = 16'384;
constexpr std::size_t kLittle = 2'048;
// The library reads it in pieces before it asks for the rest of a packet at once.
constexpr std::size_t kFixedHeader = 5;
// No acknowledgement is longer, so longer writes are not looked at.
constexpr std::size_t kShort = 128;
constexpr std::size_t kGreeting = 1'024;
constexpr std::uint8_t kPuback = 0x40;
// Of a packet: has the packet id of every PUBLISH.
constexpr std::size_t kBeginning = 5 + 2 + 65'535 + 2;

// What MQTT is in, of the frames of WebSocket.
constexpr int kBinary = 2;
// How the request begins with which the library asks for WebSocket.
constexpr std::string_view kUpgrade = "GET ";

// A frame's header is 2 bytes, of more for a longer payload, and a mask (RFC 6455, section 5.2).
std::size_t frame_header(unsigned char size) {
  constexpr std::size_t kMask = 4;
  const unsigned length = size & 0x7fU;
  return 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + kMask;
}

// Of QoS 1 or 2: QoS 0 has none.
bool is_publish_with_id(std::string_view bytes, bool framed) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (bytes.size() < 2) return false;
  unsigned first = at(0);
  if (framed) {
    const std::size_t header = frame_header(at(1));
    if (bytes.size() <= header) return false;
    first = at(header) ^ at(header - 4);
  }
  return (first & 0xf0U) == 0x30 && (first & 0x06U) != 0;
}

// The library frees a message of QoS 1 or 2 twice where it cannot be written, once with its command
// and once with what is in flight (its issues 1532 and 1621). So it is told that it was written, as
// if the connection had been lost a moment later, and the connection is: who reads it sees its end.
void end_after_failed_publish(int fd) {
  ::shutdown(fd, SHUT_RDWR);
}

}  // namespace

Link::~Link() = default;

// ---- Reading ----

std::size_t Link::serve(void* to, std::size_t size) {
  const std::size_t served = std::min(size, end_ - at_);
  std::memcpy(to, ahead_.get() + at_, served);
  if (!established_) greeting_.assign(ahead_.get() + at_, std::min(end_ - at_, kGreeting));
  if (size == 1) {
    packet_type_ = std::exchange(packet_size_, static_cast<std::uint8_t>(ahead_[at_]));
  }
  at_ += served;
  came();
  return served;
}

void Link::came() {
  established_ = true;
  Receiver::of_this_thread().reading(*this);
}

// The library asks for the whole rest of a packet at once, so what it asks for is a packet's
// length.
bool Link::too_long(std::size_t size) {
  if (size <= packet_limit_) return false;
  MutexLock lock(mutex_);
  fault_ = fmt::format("the server announced a packet of {} bytes, over the limit of {}", size,
                       packet_limit_.load());
  return true;
}

// The library would tell the publisher that all is well, free the message, and free it again when
// the connection ends.
bool Link::wrong_ack(std::size_t size) {
  if (packet_type_ != kPuback || size != packet_size_ || size < 2 || buffered() < 2) return false;
  const auto high = static_cast<std::uint8_t>(ahead_[at_]);
  const auto low = static_cast<std::uint8_t>(ahead_[at_ + 1]);
  MutexLock lock(mutex_);
  if (exactly_once_.count(static_cast<std::uint16_t>(high << 8 | low)) == 0) return false;
  fault_ =
      "the server answered a message that was published with QoS 2 as if it were QoS 1; publish "
      "with QoS 1";
  return true;
}

ssize_t Link::read(void* to, std::size_t size) {
  if (too_long(size)) {
    errno = EMSGSIZE;
    return -1;
  }
  if (wrong_ack(size)) {
    errno = EPROTO;
    return -1;
  }
  if (size > kFixedHeader) large_ = size >= kLarge;
  if (large_ && size > kFixedHeader) return read_large(static_cast<char*>(to), size);
  if (buffered() > 0) return static_cast<ssize_t>(serve(to, size));
  if (!ahead_) ahead_ = Receiver::of_this_thread().take_buffer(kAhead);
  const ssize_t got = ::recv(fd_, ahead_.get(), large_ ? kLittle : kAhead, 0);
  if (got <= 0) return got;
  at_ = 0;
  end_ = static_cast<std::size_t>(got);
  return static_cast<ssize_t>(serve(to, size));
}

// Most of a large packet goes where the library wants it, and only what comes behind it is read
// ahead.
ssize_t Link::read_large(char* to, std::size_t size) {
  const std::size_t served = buffered() > 0 ? serve(to, size) : 0;
  if (served == size) return static_cast<ssize_t>(served);
  if (!ahead_) ahead_ = Receiver::of_this_thread().take_buffer(kAhead);
  const iovec parts[] = {{.iov_base = to + served, .iov_len = size - served},
                         {.iov_base = ahead_.get(), .iov_len = kLittle}};
  const ssize_t got = ::readv(fd_, parts, 2);
  // What ended it comes up again with the next read.
  if (got <= 0) return served > 0 ? static_cast<ssize_t>(served) : got;
  came();
  const auto rest = static_cast<std::size_t>(got);
  at_ = 0;
  end_ = rest - std::min(rest, size - served);
  return static_cast<ssize_t>(served + rest - end_);
}

int Link::read_tls(SSL* ssl, void* to, int size, int& error) {
  error = SSL_ERROR_NONE;
  const auto wanted = static_cast<std::size_t>(std::max(size, 0));
  if (too_long(wanted) || wrong_ack(wanted)) {
    error = SSL_ERROR_SYSCALL;
    return -1;
  }
  if (buffered() > 0) return static_cast<int>(serve(to, wanted));
  if (!ahead_) ahead_ = Receiver::of_this_thread().take_buffer(kAhead);
  {
    MutexLock lock(mutex_);
    ssl_ = ssl;
    ERR_clear_error();
    // One record at a time; what is in the socket already belongs to the same batch.
    std::size_t filled = 0;
    int got = 0;
    while (filled < kAhead &&
           (got = SSL_read(ssl, ahead_.get() + filled, static_cast<int>(kAhead - filled))) > 0) {
      filled += static_cast<std::size_t>(got);
    }
    if (filled == 0) {
      error = SSL_get_error(ssl, got);
      return got;
    }
    // What ended the loop comes up again with the next read; nobody asks about this one.
    ERR_clear_error();
    at_ = 0;
    end_ = filled;
  }
  return static_cast<int>(serve(to, wanted));
}

int Link::pending_tls(SSL* ssl) const {
  return static_cast<int>(buffered()) + SSL_pending(ssl);
}

void Link::shed() {
  if (buffered() == 0 && ahead_) Receiver::of_this_thread().give_buffer(std::move(ahead_));
}

void Link::end_batch() {
  if (batch_end_) batch_end_();
  flush();
}

// ---- What the server may not send ----

bool Link::refuses_beginning(std::uint8_t first) {
  // The first bytes of WebSocket are those of its upgrade.
  const auto wrong = check_.begins(first, framed_ ? std::string_view() : greeting_);
  if (wrong) end_because(*wrong, {});
  return wrong.has_value();
}

bool Link::refuses(std::uint8_t first, std::string_view body) {
  const auto wrong = check_.look(first, body);
  if (wrong) end_because(*wrong, "; the packet begins with " + first_bytes(first, body));
  return wrong.has_value();
}

// The library closes the connection when it has been told so.
void Link::end_because(const PacketCheck::Wrong& wrong, const std::string& packet) {
  MutexLock lock(mutex_);
  fault_ = wrong.what + packet;
  // What the library still says, that all is well, does not leave.
  ended_ = true;
  if (library_waits_ || !check_.may_say_why()) return;
  const std::string disconnect = {'\xe0', 1, static_cast<char>(wrong.reason)};
  // In a frame of WebSocket, with a mask that changes nothing.
  if (framed_) out_ += std::string("\x82\x83\0\0\0\0", 6);
  out_ += disconnect;
  (void)send_out();
}

// ---- The gate ----

Gate::Ticket Link::hold(Ack ack) {
  MutexLock lock(mutex_);
  return gate_.hold(ack);
}

void Link::release(AckKind kind, Gate::Ticket ticket) {
  MutexLock lock(mutex_);
  gate_.release(kind, ticket);
}

std::size_t Link::held() const {
  MutexLock lock(mutex_);
  return gate_.size();
}

std::string Link::fault() const {
  MutexLock lock(mutex_);
  return fault_;
}

void Link::resume() {
  paused_ = false;
  wake_receiver();
}

void Link::flush() {
  MutexLock lock(mutex_);
  if (ssl_ != nullptr && !Receiver::is_receive_thread()) {
    // One thread at a time may use an SSL object together with its error state.
    we_wait_ = true;
    wake_receiver();
    return;
  }
  flush_locked();
}

void Link::flush_locked() {
  if (gone_ || library_waits_) return;
  gate_.take(out_);
  if (!send_out() && !Receiver::is_receive_thread()) wake_receiver();
}

// False: the socket has no room; it is tried again when poll(2) sees some.
bool Link::send_out() {
  while (!out_.empty() || !retry_.empty()) {
    ssize_t sent = 0;
    if (ssl_ == nullptr) {
      sent = ::send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EINTR) continue;
    } else {
      if (retry_.empty()) retry_.swap(out_);
      ERR_clear_error();
      sent = SSL_write(ssl_, retry_.data(), static_cast<int>(retry_.size()));
      if (sent > 0) {
        retry_.clear();
        continue;
      }
    }
    if (sent <= 0) {
      // Full, or broken: then the library finds out when it reads.
      we_wait_ = true;
      return false;
    }
    out_.erase(0, static_cast<std::size_t>(sent));
  }
  we_wait_ = false;
  return true;
}

// ---- The library writes ----

// Whether `bytes` are an acknowledgement; then they are the gate's.
bool Link::note_ack(std::string_view bytes) {
  const auto ack = parse_ack(bytes);
  if (!ack) return false;
  const bool hold_unclaimed = repeated_pubrel_ && ack->kind == AckKind::pubcomp;
  std::optional<Gate::Ticket> unclaimed;
  {
    MutexLock lock(mutex_);
    unclaimed = gate_.written(*ack, bytes, hold_unclaimed);
  }
  if (unclaimed) repeated_pubrel_(ack->packet_id, *unclaimed);
  return true;
}

void Link::note_publish(std::string_view bytes) {
  const auto published = read_publish_head(bytes);
  if (!published) return;
  if (published->qos == 2) {
    exactly_once_.insert(published->packet_id);
  } else {
    exactly_once_.erase(published->packet_id);
  }
}

// A packet that asks for something, as a whole; `beginning` is the first of its parts.
void Link::note_request(std::string_view beginning, const iovec* parts, int count) {
  if (beginning.starts_with(kUpgrade)) framed_ = true;
  if (beginning.size() < 2 || (framed_ && (beginning[0] & 0x0f) != kBinary)) return;
  const std::size_t header = framed_ ? frame_header(static_cast<unsigned char>(beginning[1])) : 0;
  if (beginning.size() <= header) return;
  const auto first = static_cast<unsigned char>(framed_ ? beginning[header] ^ beginning[header - 4]
                                                        : beginning[0]);
  if (!PacketCheck::is_request(first)) return;
  std::string whole;
  for (int i = 0; i < count; ++i) {
    whole.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  }
  for (std::size_t i = 0; framed_ && header + i < whole.size(); ++i) {
    whole[header + i] = static_cast<char>(whole[header + i] ^ whole[header - 4 + i % 4]);
  }
  check_.sends(std::string_view(whole).substr(header));
}

// The library writes a packet's fixed header together with the frame's.
bool Link::begins_publish(std::string_view bytes) const {
  return is_publish_with_id(bytes, framed_);
}

ssize_t Link::write(const iovec* parts, int count) {
  std::size_t total = 0;
  for (int i = 0; i < count; ++i) total += parts[i].iov_len;
  if (ended_) return static_cast<ssize_t>(total);
  if (!library_waits_ && total < kShort) {
    std::string bytes;
    for (int i = 0; i < count; ++i) {
      bytes.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    }
    if (note_ack(bytes)) {
      if (!Receiver::is_receive_thread()) flush();
      return static_cast<ssize_t>(total);
    }
  }
  if (!library_waits_ && count > 0) {
    note_request({static_cast<const char*>(parts[0].iov_base), parts[0].iov_len}, parts, count);
  }
  std::string beginning;
  const bool noted =
      count > 0 && begins_publish({static_cast<const char*>(parts[0].iov_base), parts[0].iov_len});
  for (int i = 0; noted && i < count && beginning.size() < kBeginning; ++i) {
    beginning.append(static_cast<const char*>(parts[i].iov_base),
                     std::min(parts[i].iov_len, kBeginning - beginning.size()));
  }
  MutexLock lock(mutex_);
  if (!library_waits_ && !send_out()) {
    errno = EAGAIN;
    return -1;
  }
  if (!library_waits_) note_publish(beginning);
  const ssize_t sent = ::writev(fd_, parts, count);
  if (sent < 0 && noted && !library_waits_ && errno != EAGAIN && errno != EINTR) {
    end_after_failed_publish(fd_);
    return static_cast<ssize_t>(total);
  }
  if (sent >= 0) library_waits_ = static_cast<std::size_t>(sent) < total;
  if (!library_waits_ && sent >= 0) flush_locked();
  return sent;
}

int Link::write_tls(SSL* ssl, const void* from, int size, int& error) {
  error = SSL_ERROR_NONE;
  if (ended_) return size;
  const std::string_view bytes(static_cast<const char*>(from), static_cast<std::size_t>(size));
  if (!library_waits_ && bytes.size() < kShort && note_ack(bytes)) {
    if (!Receiver::is_receive_thread()) flush();
    return size;
  }
  if (!library_waits_) {
    const iovec part{.iov_base = const_cast<void*>(from), .iov_len = bytes.size()};
    note_request(bytes, &part, 1);
  }
  MutexLock lock(mutex_);
  ssl_ = ssl;
  if (!library_waits_ && !send_out()) {
    error = SSL_ERROR_WANT_WRITE;
    return -1;
  }
  ERR_clear_error();
  if (!library_waits_) note_publish(bytes);
  const bool noted = !library_waits_ && begins_publish(bytes);
  const int sent = SSL_write(ssl, from, size);
  error = SSL_get_error(ssl, sent);
  if (noted && sent <= 0 && error != SSL_ERROR_WANT_WRITE && error != SSL_ERROR_WANT_READ) {
    ERR_clear_error();
    end_after_failed_publish(SSL_get_fd(ssl));
    error = SSL_ERROR_NONE;
    return size;
  }
  library_waits_ = sent <= 0 && (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ);
  if (sent > 0) flush_locked();
  return sent;
}

void Link::die() {
  MutexLock lock(mutex_);
  gone_ = true;
  ssl_ = nullptr;
  gate_ = Gate();
  out_.clear();
  retry_.clear();
  we_wait_ = false;
  library_waits_ = false;
}

}  // namespace triggerd::mqtt::wire
