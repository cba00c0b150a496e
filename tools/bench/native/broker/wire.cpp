#include "broker/wire.hpp"

#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>

namespace bench {
namespace {

constexpr std::size_t kStage = 64 << 10;

std::string tls_reason() {
  char text[256];
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  return text;
}

}  // namespace

TlsContext tls_server(const std::string& certificate, const std::string& key) {
  TlsContext context(SSL_CTX_new(TLS_server_method()));
  if (!context) throw std::runtime_error("cannot set TLS up: " + tls_reason());
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) != 1) {
    throw std::runtime_error("cannot use " + certificate +
                             " as a certificate in PEM: " + tls_reason());
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
    throw std::runtime_error("cannot use " + key +
                             " as the key of that certificate: " + tls_reason());
  }
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context.get(), 1);
  return context;
}

Wire::Wire(int fd, SSL_CTX* tls) : fd_(fd) {
  if (tls == nullptr) return;
  ssl_.reset(SSL_new(tls));
  SSL_set_fd(ssl_.get(), fd);
  SSL_set_accept_state(ssl_.get());
}

Wire::~Wire() {
  ssl_.reset();
  ::close(fd_);
}

Wire::State Wire::state_after(int result) {
  const int error = SSL_get_error(ssl_.get(), result);
  ERR_clear_error();
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? State::blocked
                                                                       : State::ended;
}

Wire::Moved Wire::read(char* to, std::size_t size) {
  if (ssl_) {
    const int got = SSL_read(ssl_.get(), to, static_cast<int>(size));
    if (got > 0) return {State::ok, static_cast<std::size_t>(got)};
    return {state_after(got), 0};
  }
  const ssize_t got = ::recv(fd_, to, size, 0);
  if (got > 0) return {State::ok, static_cast<std::size_t>(got)};
  const bool later = got < 0 && (errno == EAGAIN || errno == EINTR);
  return {later ? State::blocked : State::ended, 0};
}

Wire::Moved Wire::write(const iovec* parts, std::size_t count) {
  if (ssl_) {
    const State before = flush();
    if (before != State::ok) return {before, 0};
    for (std::size_t i = 0; i < count && staged_.size() < kStage; ++i) {
      const std::size_t room = kStage - staged_.size();
      staged_.append(static_cast<const char*>(parts[i].iov_base), std::min(room, parts[i].iov_len));
    }
    const std::size_t taken = staged_.size();
    return {flush(), taken};
  }
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts);
  message.msg_iovlen = count;
  const ssize_t sent = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
  if (sent < 0) {
    const bool later = errno == EAGAIN || errno == EINTR;
    return {later ? State::blocked : State::ended, 0};
  }
  return {State::ok, static_cast<std::size_t>(sent)};
}

Wire::State Wire::flush() {
  std::size_t done = 0;
  State state = State::ok;
  while (done < staged_.size() && state == State::ok) {
    const int sent =
        SSL_write(ssl_.get(), staged_.data() + done, static_cast<int>(staged_.size() - done));
    if (sent > 0) {
      done += static_cast<std::size_t>(sent);
    } else {
      state = state_after(sent);
    }
  }
  staged_.erase(0, done);
  return state;
}

}  // namespace bench
