#include "mqtt/wire/send_buffer.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cerrno>

namespace triggerd::mqtt::wire {

void SendBuffer::clear() {
  bytes_.clear();
  sent_ = 0;
  retry_.clear();
}

SendBuffer::Sent SendBuffer::send(int fd, SSL* ssl, KeepAlive& keep_alive, const Clock& clock) {
  while (!empty()) {
    const Step step =
        ssl == nullptr ? send_plain(fd, keep_alive, clock) : send_secured(ssl, keep_alive, clock);
    if (step == Step::full) return Sent::full;
    if (step == Step::broken) {
      clear();
      return Sent::broken;
    }
  }
  return Sent::all;
}

SendBuffer::Step SendBuffer::send_plain(int fd, KeepAlive& keep_alive, const Clock& clock) {
  const ssize_t sent =
      ::send(fd, bytes_.data() + sent_, bytes_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent > 0) {
    keep_alive.sent(clock.now());
    sent_ += static_cast<std::size_t>(sent);
    // What has left is not moved out for each piece of a large message.
    if (sent_ >= bytes_.size() / 2) {
      bytes_.erase(0, sent_);
      sent_ = 0;
    }
    return Step::some;
  }
  if (sent < 0 && errno == EINTR) return Step::some;
  return sent < 0 && errno == EAGAIN ? Step::full : Step::broken;
}

SendBuffer::Step SendBuffer::send_secured(SSL* ssl, KeepAlive& keep_alive, const Clock& clock) {
  keep_alive.sent(clock.now());
  if (retry_.empty()) retry_.swap(bytes_);
  ERR_clear_error();
  const int sent = SSL_write(ssl, retry_.data(), static_cast<int>(retry_.size()));
  if (sent > 0) {
    retry_.clear();
    return Step::some;
  }
  const int error = SSL_get_error(ssl, sent);
  ERR_clear_error();
  return error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ ? Step::full : Step::broken;
}

}  // namespace triggerd::mqtt::wire
