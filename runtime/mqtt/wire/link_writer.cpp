#include "mqtt/wire/link_writer.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "mqtt/packet/packet_bytes.hpp"
#include "mqtt/packet/packet_type.hpp"
#include "mqtt/wire/receiver.hpp"

namespace triggerd::mqtt::wire {
namespace {

using namespace packet_type;

constexpr std::string_view kPing("\xc0\x00", 2);
// As much of a PUBLISH of ours as has its packet id.
constexpr std::size_t kPubrelBytes = 4;
constexpr std::size_t kBeginning = 5 + 2 + 65'535 + 2;
// When so many of our bytes wait for room, nothing is read any more, which would make more.
constexpr std::size_t kMostUnsent = 262'144;
// When so many bytes wait, the WebSocket answers no more pings.
constexpr std::size_t kMostAnswers = 65'536;

// The library frees a message of QoS 1 or 2 twice when it cannot be written, once with its command
// and once with what is in flight (its issues 1532 and 1621). So it is told that the message was
// written, as if the connection had been lost a moment later, and the connection is ended: whoever
// reads it sees that.
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

LinkWriter::LinkWriter(int fd, LinkState& state, KeepAlive& keep_alive, PacketCheck& check)
    : fd_(fd), state_(state), keep_alive_(keep_alive), check_(check), dial_(nullptr) {}

void LinkWriter::carry(const Dial& dial) {
  MutexLock lock(mutex_);
  dial_ = &dial;
  opening_.carry(dial);
}

// ---- Acknowledgements ----

void LinkWriter::release(AckKind kind, AckQueue::Ticket ticket) {
  MutexLock lock(mutex_);
  acks_.release(kind, ticket);
}

std::size_t LinkWriter::held() const {
  MutexLock lock(mutex_);
  return acks_.size();
}

void LinkWriter::flush() {
  MutexLock lock(mutex_);
  flush_here_or_there();
}

void LinkWriter::flush_here_or_there() {
  if (ssl_ != nullptr && !Receiver::is_receive_thread()) {
    // One thread at a time may use an SSL object together with its error state.
    state_.we_wait = true;
    wake_receiver();
    return;
  }
  flush_locked();
}

bool LinkWriter::send(std::string_view packets, const std::vector<std::size_t>& publishes) {
  MutexLock lock(mutex_);
  if (state_.gone || state_.ended || state_.leaving || !opening_.open()) return false;
  for (const std::size_t at : publishes) published_.note(packets.substr(at, kBeginning));
  opening_.add_packet(packets, out_.bytes());
  flush_here_or_there();
  return true;
}

void LinkWriter::flush_locked() {
  if (state_.gone || state_.library_waits || state_.ended) return;
  if (WebSocket* const websocket = opening_.websocket()) {
    std::string acks;
    if (acks_.take(acks) > 0) websocket->wrap(acks, out_.bytes());
  } else {
    acks_.take(out_.bytes());
  }
  if (!send_out() && !Receiver::is_receive_thread()) wake_receiver();
}

std::optional<PacketCheck::Wrong> LinkWriter::give_tickets(std::vector<Taken>& packets) {
  MutexLock lock(mutex_);
  for (std::size_t i = 0; i < packets.size(); ++i) {
    Taken& one = packets[i];
    const bool pubrel = one.kind == Taken::Kind::pubrel;
    if (!pubrel && one.qos == 0) continue;
    const bool another = !pubrel && !(one.qos == 2 && acks_.has_begun(one.packet_id));
    if (another && dial_->receive_maximum > 0 && acks_.unconfirmed() >= dial_->receive_maximum) {
      for (std::size_t left = i; left < packets.size(); ++left) std::free(packets[left].memory);
      packets.resize(i);
      return PacketCheck::refusal(
          disconnect_reason::kReceiveMaximum,
          fmt::format("it sent more unacknowledged messages than receive_maximum ({}) allows",
                      dial_->receive_maximum));
    }
    const AckKind kind = pubrel         ? AckKind::pubcomp
                         : one.qos == 1 ? AckKind::puback
                                        : AckKind::pubrec;
    if (kind == AckKind::pubrec) acks_.begin_exactly_once(one.packet_id);
    one.ticket = acks_.hold({kind, one.packet_id}, !dial_->hold);
  }
  return std::nullopt;
}

std::size_t LinkWriter::unsent() const {
  MutexLock lock(mutex_);
  return out_.size();
}

bool LinkWriter::was_exactly_once(std::uint16_t packet_id) const {
  MutexLock lock(mutex_);
  return published_.was_exactly_once(packet_id);
}

bool LinkWriter::is_for_library(std::uint16_t packet_id, bool ends) {
  MutexLock lock(mutex_);
  return published_.is_for_library(packet_id, ends);
}

// ---- Ending it ----

std::string LinkWriter::fault() const {
  MutexLock lock(mutex_);
  return fault_;
}

void LinkWriter::end(std::string why) {
  MutexLock lock(mutex_);
  end_locked(std::move(why));
}

// What the library still says, that all is well, does not leave.
void LinkWriter::end_locked(std::string why) {
  if (state_.gone || state_.ended) return;
  fault_ = std::move(why);
  state_.ended = true;
  if (!state_.established) ::shutdown(fd_, SHUT_RDWR);
}

void LinkWriter::refuse(const PacketCheck::Wrong& wrong, const std::string& packet, bool may_say) {
  MutexLock lock(mutex_);
  if (state_.ended) return;
  if (may_say && !state_.library_waits && opening_.open()) {
    opening_.add_packet(std::string{'\xe0', 1, static_cast<char>(wrong.reason)}, out_.bytes());
    (void)send_out();
  }
  end_locked(wrong.what + packet);
}

void LinkWriter::ping() {
  MutexLock lock(mutex_);
  if (state_.gone || state_.library_waits || !opening_.open()) return;
  opening_.add_packet(kPing, out_.bytes());
  (void)send_out();
}

void LinkWriter::shut_down() {
  MutexLock lock(mutex_);
  if (state_.gone) return;
  WebSocket* const websocket = opening_.websocket();
  if (websocket != nullptr && opening_.open() && !state_.library_waits) {
    websocket->close(close_code::kNormal, out_.bytes());
    (void)send_out();
  }
  state_.gone = true;
  ssl_ = nullptr;
  acks_ = AckQueue();
  out_.clear();
  opening_.forget_held();
  state_.we_wait = false;
  state_.library_waits = false;
}

// False: the socket has no room; it is tried again when poll(2) sees some.
bool LinkWriter::send_out() {
  const auto sent = out_.send(fd_, ssl_, keep_alive_, *dial_->clock);
  // A broken connection never becomes writable in a way that helps: whoever reads sees its end.
  if (sent == SendBuffer::Sent::broken) ::shutdown(fd_, SHUT_RDWR);
  const bool full = sent == SendBuffer::Sent::full;
  state_.we_wait = full;
  state_.clogged = full && out_.size() > kMostUnsent;
  return !full;
}

// ---- Before MQTT ----

void LinkWriter::begin_opening() {
  if (!opening_.begin(out_.bytes())) return;
  state_.begun = true;
  if (opening_.at_proxy() && !opening_.proxy_fault().empty()) end_locked(opening_.proxy_fault());
}

std::size_t LinkWriter::pass_proxy(char* bytes, std::size_t size) {
  MutexLock lock(mutex_);
  if (!opening_.at_proxy()) return size;
  const std::size_t used = opening_.proxy_said({bytes, size}, out_.bytes());
  if (!opening_.proxy_fault().empty()) {
    end_locked(opening_.proxy_fault());
    return 0;
  }
  (void)send_out();
  std::memmove(bytes, bytes + used, size - used);
  return size - used;
}

std::size_t LinkWriter::pass_websocket(char* bytes, std::size_t size, std::string& ending) {
  if (size == 0) return 0;
  WebSocket& websocket = *opening_.websocket();
  const std::size_t left = websocket.receive(bytes, size);
  const std::string answer = websocket.take_output();
  MutexLock lock(mutex_);
  const bool goes_on = websocket.fault().empty() && !websocket.closed();
  // A server that asks and does not read gets no more answers than it has room for.
  if (!goes_on || out_.bytes().size() < kMostAnswers) out_.bytes() += answer;
  if (opening_.at_websocket() && websocket.open()) opening_.upgraded(out_.bytes());
  if (!out_.bytes().empty()) (void)send_out();
  if (!websocket.fault().empty()) {
    ending = websocket.fault();
  } else if (websocket.closed()) {
    ending = "the server " + websocket.close_reason();
  }
  return left;
}

void LinkWriter::end_of_opening() {
  MutexLock lock(mutex_);
  const std::string fault = opening_.ended();
  if (!fault.empty()) end_locked(fault);
}

// ---- TLS ----

// The handshake with the proxy comes first, on the bare socket. True: it is done, or there is none.
bool LinkWriter::pass_proxy_before_tls(int& error) {
  MutexLock lock(mutex_);
  error = SSL_ERROR_SYSCALL;
  if (state_.ended) return false;
  ProxyHandshake* const proxy = opening_.proxy();
  while (proxy != nullptr && !proxy->done()) {
    out_.bytes() += proxy->take_output();
    if (!send_out() || !proxy->fault().empty()) break;
    // Nothing is behind its answer: the server waits for us.
    char some[512];
    const ssize_t got = ::recv(fd_, some, sizeof some, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (got > 0) {
      (void)proxy->receive({some, static_cast<std::size_t>(got)});
    } else {
      proxy->ended();
    }
  }
  if (proxy == nullptr || proxy->done()) return true;
  if (proxy->fault().empty()) {
    error = SSL_ERROR_WANT_READ;
  } else {
    end_locked(proxy->fault());
  }
  return false;
}

int LinkWriter::connect_tls(SSL* ssl, int& error) {
  if (!pass_proxy_before_tls(error)) return -1;
  ERR_clear_error();
  const int result = SSL_connect(ssl);
  error = SSL_get_error(ssl, result);
  if (result == 1) {
    MutexLock lock(mutex_);
    ssl_ = ssl;
    state_.secured = true;
  }
  return result;
}

std::optional<LinkWriter::TlsRead> LinkWriter::read_tls(char* to, std::size_t most) {
  MutexLock lock(mutex_);
  if (ssl_ == nullptr) return std::nullopt;
  ERR_clear_error();
  // One record at a time; what is in the socket already belongs to the same batch.
  TlsRead read;
  int got = 0;
  while (read.size < most &&
         (got = SSL_read(ssl_, to + read.size, static_cast<int>(most - read.size))) > 0) {
    read.size += static_cast<std::size_t>(got);
  }
  const bool full = read.size == most;
  read.error = full ? SSL_ERROR_NONE : SSL_get_error(ssl_, got);
  read.pending = full && SSL_pending(ssl_) > 0;
  read.tls_error = ERR_peek_last_error();
  // What ended the loop comes up again with the next read.
  ERR_clear_error();
  return read;
}

// ---- The library writes ----

// A packet, as a whole.
void LinkWriter::note(const iovec* parts, int count) {
  const std::uint8_t first = first_of(parts, count);
  if (PacketCheck::is_request(first)) {
    check_.sends(beginning_of(parts, count, size_of(parts, count)));
    if (state_.paused) wake_receiver();  // it reads on until the answer is here
  } else if (is_publish_with_id(first)) {
    published_.note(beginning_of(parts, count, kBeginning), dial_->shared);
  } else if (first >> 4 == kPubrel) {
    if (dial_->shared) published_.await(number_at(beginning_of(parts, count, kPubrelBytes), 2));
  } else if (first >> 4 == kPingreq) {
    keep_alive_.pinged(dial_->clock->now());
  } else if (first >> 4 == kDisconnect) {
    state_.leaving = true;
  }
}

LinkWriter::Writing LinkWriter::begin_write(const iovec* parts, int count) {
  begin_opening();
  if (state_.library_waits) return Writing::straight;  // the rest of a packet
  if (!send_out()) {
    // Behind what others publish. The library would give the connection up for a ping that does not
    // leave.
    const bool fits = out_.size() <= kMostUnsent || first_of(parts, count) >> 4 == kPingreq;
    if (!dial_->shared || !opening_.open() || !fits) return Writing::full;
    note(parts, count);
    opening_.add_packet(beginning_of(parts, count, size_of(parts, count)), out_.bytes());
    return Writing::taken;
  }
  note(parts, count);
  if (!opening_.open()) {
    opening_.hold(beginning_of(parts, count, size_of(parts, count)));
    (void)send_out();
    return Writing::taken;
  }
  WebSocket* const websocket = opening_.websocket();
  if (websocket == nullptr) return Writing::straight;
  websocket->wrap({parts, static_cast<std::size_t>(count)}, out_.bytes());
  flush_locked();
  return Writing::taken;
}

ssize_t LinkWriter::write(const iovec* parts, int count) {
  const std::size_t total = size_of(parts, count);
  MutexLock lock(mutex_);
  if (state_.ended) {
    if (state_.established) return static_cast<ssize_t>(total);
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
  const bool noted = !state_.library_waits && is_publish_with_id(first_of(parts, count));
  const ssize_t sent = ::writev(fd_, parts, count);
  const int error = errno;
  if (sent > 0) keep_alive_.sent(dial_->clock->now());
  if (sent < 0 && noted && error != EAGAIN && error != EINTR) {
    end_after_failed_publish(fd_);
    return static_cast<ssize_t>(total);
  }
  if (sent >= 0) state_.library_waits = static_cast<std::size_t>(sent) < total;
  if (!state_.library_waits && sent >= 0) flush_locked();
  errno = error;
  return sent;
}

int LinkWriter::write_tls(SSL* ssl, const void* from, int size, int& error) {
  error = SSL_ERROR_NONE;
  const iovec part{.iov_base = const_cast<void*>(from), .iov_len = static_cast<std::size_t>(size)};
  MutexLock lock(mutex_);
  if (state_.ended) return size;
  switch (begin_write(&part, 1)) {
    case Writing::full:
      error = SSL_ERROR_WANT_WRITE;
      return -1;
    case Writing::taken:
      return size;
    case Writing::straight:
      break;
  }
  const bool noted = !state_.library_waits && is_publish_with_id(first_of(&part, 1));
  ERR_clear_error();
  keep_alive_.sent(dial_->clock->now());
  const int sent = SSL_write(ssl, from, size);
  error = SSL_get_error(ssl, sent);
  const bool waits = error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ;
  if (noted && sent <= 0 && !waits) {
    ERR_clear_error();
    end_after_failed_publish(SSL_get_fd(ssl));
    error = SSL_ERROR_NONE;
    return size;
  }
  state_.library_waits = sent <= 0 && waits;
  if (sent > 0) flush_locked();
  return sent;
}

}  // namespace triggerd::mqtt::wire
