// Link: what leaves. Acknowledgements, what comes before MQTT, and what the library writes.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "mqtt/packet/packet_type.hpp"
#include "mqtt/packet/publish_head.hpp"
#include "mqtt/wire/link.hpp"
#include "mqtt/wire/receiver.hpp"

namespace triggerd::mqtt::wire {
namespace {

using namespace packet_type;

// Of a PUBLISH of ours: has its packet id.
constexpr std::size_t kBeginning = 5 + 2 + 65'535 + 2;
// Of ours, bytes that wait for room: more are not made by reading on.
constexpr std::size_t kMostUnsent = 262'144;

// The library frees a message of QoS 1 or 2 twice where it cannot be written, once with its command
// and once with what is in flight (its issues 1532 and 1621). So it is told that it was written, as
// if the connection had been lost a moment later, and the connection is: who reads it sees its end.
void end_after_failed_publish(int fd) {
  ::shutdown(fd, SHUT_RDWR);
}

std::size_t size_of(const iovec* parts, int count) {
  std::size_t total = 0;
  for (int i = 0; i < count; ++i) total += parts[i].iov_len;
  return total;
}

// Up to `most` bytes of them.
std::string beginning_of(const iovec* parts, int count, std::size_t most) {
  std::string bytes;
  for (int i = 0; i < count && bytes.size() < most; ++i) {
    bytes.append(static_cast<const char*>(parts[i].iov_base),
                 std::min(parts[i].iov_len, most - bytes.size()));
  }
  return bytes;
}

std::uint8_t first_of(const iovec* parts, int count) {
  for (int i = 0; i < count; ++i) {
    if (parts[i].iov_len > 0) return *static_cast<const std::uint8_t*>(parts[i].iov_base);
  }
  return 0;
}

// Of QoS 1 or 2: QoS 0 has no packet id.
bool is_publish_with_id(std::uint8_t first) {
  return first >> 4 == kPublish && (first & 0x06U) != 0;
}

}  // namespace

// ---- The gate ----

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
  pause_ = false;
  wake_receiver();
}

void Link::end(std::string why) {
  {
    MutexLock lock(mutex_);
    end_locked(std::move(why));
  }
  wake_receiver();
}

// What the library still says, that all is well, does not leave.
void Link::end_locked(std::string why) {
  if (gone_ || ended_) return;
  fault_ = std::move(why);
  ended_ = true;
  if (!established_) ::shutdown(fd_, SHUT_RDWR);
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
  if (gone_ || library_waits_ || ended_) return;
  if (websocket_) {
    std::string acks;
    if (gate_.take(acks) > 0) websocket_->wrap(acks, out_);
  } else {
    gate_.take(out_);
  }
  if (!send_out() && !Receiver::is_receive_thread()) wake_receiver();
}

void Link::add_packet(std::string_view packet) {
  if (websocket_) {
    websocket_->wrap(packet, out_);
  } else {
    out_ += packet;
  }
}

// False: the socket has no room; it is tried again when poll(2) sees some.
bool Link::send_out() {
  while (!out_.empty() || !retry_.empty()) {
    ssize_t sent = 0;
    bool full = false;
    if (ssl_ == nullptr) {
      sent = ::send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EINTR) continue;
      full = sent < 0 && errno == EAGAIN;
      if (sent > 0) sent_ = now();
    } else {
      sent_ = now();
      if (retry_.empty()) retry_.swap(out_);
      ERR_clear_error();
      sent = SSL_write(ssl_, retry_.data(), static_cast<int>(retry_.size()));
      if (sent > 0) {
        retry_.clear();
        continue;
      }
      const int error = SSL_get_error(ssl_, static_cast<int>(sent));
      full = error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ;
      ERR_clear_error();
    }
    if (full) {
      we_wait_ = true;
      clogged_ = out_.size() + retry_.size() > kMostUnsent;
      return false;
    }
    if (sent <= 0) {
      // Broken, and never writable in a way that helps: whoever reads sees its end.
      ::shutdown(fd_, SHUT_RDWR);
      out_.clear();
      retry_.clear();
      break;
    }
    out_.erase(0, static_cast<std::size_t>(sent));
  }
  we_wait_ = false;
  clogged_ = false;
  return true;
}

// ---- Before MQTT ----

void Link::begin_opening() {
  if (opening_ != Opening::not_begun) return;
  begun_ = true;
  if (proxy_ && !dial_->tls) {
    opening_ = Opening::proxy;
    out_ += proxy_->take_output();
    if (!proxy_->fault().empty()) end_locked(proxy_->fault());
    return;
  }
  opening_ = Opening::proxy;
  go_on_opening();
}

// The step that is under way is done.
void Link::go_on_opening() {
  if (opening_ == Opening::proxy && websocket_) {
    opening_ = Opening::websocket;
    out_ += websocket_->request();
    return;
  }
  opening_ = Opening::open;
  if (!unsent_.empty()) add_packet(std::exchange(unsent_, {}));
}

// The handshake with the proxy comes first, on the bare socket.
int Link::connect_tls(SSL* ssl, int& error) {
  {
    MutexLock lock(mutex_);
    if (ended_) {
      error = SSL_ERROR_SYSCALL;
      return -1;
    }
    while (proxy_ && !proxy_->done()) {
      out_ += proxy_->take_output();
      if (!send_out() || !proxy_->fault().empty()) break;
      // Nothing is behind its answer: the server waits for us.
      char some[512];
      const ssize_t got = ::recv(fd_, some, sizeof some, MSG_DONTWAIT);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) break;
      if (got > 0) {
        (void)proxy_->receive({some, static_cast<std::size_t>(got)});
      } else {
        proxy_->ended();
      }
    }
    if (proxy_ && !proxy_->done()) {
      error = SSL_ERROR_WANT_READ;
      if (proxy_->fault().empty()) return -1;
      end_locked(proxy_->fault());
      error = SSL_ERROR_SYSCALL;
      return -1;
    }
  }
  ERR_clear_error();
  const int result = SSL_connect(ssl);
  error = SSL_get_error(ssl, result);
  if (result == 1) {
    MutexLock lock(mutex_);
    ssl_ = ssl;
    secured_ = true;
  }
  return result;
}

// ---- The library writes ----

void Link::note_publish(std::string_view beginning) {
  const auto published = read_publish_head(beginning);
  if (!published) return;
  if (published->qos == 2) {
    exactly_once_.insert(published->packet_id);
  } else {
    exactly_once_.erase(published->packet_id);
  }
}

// A packet, as a whole.
void Link::note(const iovec* parts, int count) {
  const std::uint8_t first = first_of(parts, count);
  if (PacketCheck::is_request(first)) {
    check_.sends(beginning_of(parts, count, size_of(parts, count)));
    if (pause_) wake_receiver();  // it reads on until the answer is here
  } else if (is_publish_with_id(first)) {
    note_publish(beginning_of(parts, count, kBeginning));
  } else if (first >> 4 == kPingreq) {
    Monotonic not_yet{};  // one that waits for its answer is the one that counts
    pinged_.compare_exchange_strong(not_yet, now());
  } else if (first >> 4 == kDisconnect) {
    leaving_ = true;
  }
}

Link::Writing Link::begin_write(const iovec* parts, int count) {
  begin_opening();
  if (library_waits_) return Writing::straight;  // the rest of a packet
  if (!send_out()) return Writing::full;
  note(parts, count);
  if (opening_ != Opening::open) {
    unsent_ += beginning_of(parts, count, size_of(parts, count));
    (void)send_out();
    return Writing::taken;
  }
  if (!websocket_) return Writing::straight;
  websocket_->wrap({parts, static_cast<std::size_t>(count)}, out_);
  flush_locked();
  return Writing::taken;
}

ssize_t Link::write(const iovec* parts, int count) {
  const std::size_t total = size_of(parts, count);
  MutexLock lock(mutex_);
  if (ended_) {
    if (established_) return static_cast<ssize_t>(total);
    errno = EPIPE;
    return -1;
  }
  switch (begin_write(parts, count)) {
    case Writing::full:
      errno = EAGAIN;
      return -1;
    case Writing::taken:
      return static_cast<ssize_t>(total);
    case Writing::straight:
      break;
  }
  const bool noted = !library_waits_ && is_publish_with_id(first_of(parts, count));
  const ssize_t sent = ::writev(fd_, parts, count);
  if (sent > 0) sent_ = now();
  if (sent < 0 && noted && errno != EAGAIN && errno != EINTR) {
    end_after_failed_publish(fd_);
    return static_cast<ssize_t>(total);
  }
  if (sent >= 0) library_waits_ = static_cast<std::size_t>(sent) < total;
  if (!library_waits_ && sent >= 0) flush_locked();
  return sent;
}

int Link::write_tls(SSL* ssl, const void* from, int size, int& error) {
  error = SSL_ERROR_NONE;
  const iovec part{.iov_base = const_cast<void*>(from), .iov_len = static_cast<std::size_t>(size)};
  MutexLock lock(mutex_);
  if (ended_) return size;
  switch (begin_write(&part, 1)) {
    case Writing::full:
      error = SSL_ERROR_WANT_WRITE;
      return -1;
    case Writing::taken:
      return size;
    case Writing::straight:
      break;
  }
  const bool noted = !library_waits_ && is_publish_with_id(first_of(&part, 1));
  ERR_clear_error();
  sent_ = now();
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
  MutexLock reading(reading_);
  MutexLock lock(mutex_);
  if (gone_) return;
  if (websocket_ && opening_ == Opening::open && !library_waits_) {
    websocket_->close(close_code::kNormal, out_);
    (void)send_out();
  }
  gone_ = true;
  ssl_ = nullptr;
  gate_ = Gate();
  out_.clear();
  retry_.clear();
  unsent_.clear();
  we_wait_ = false;
  library_waits_ = false;
}

}  // namespace triggerd::mqtt::wire
