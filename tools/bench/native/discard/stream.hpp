// A blocking connection, plain or TLS. It lives as long as the program.
#pragma once

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>

#include "common/contender.hpp"

namespace bench {

class Stream {
 public:
  explicit Stream(const ContenderOptions& options) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const std::string port = std::to_string(options.port);
    if (::getaddrinfo(options.host.c_str(), port.c_str(), &hints, &found) != 0) {
      give_up("there is no host " + options.host);
    }
    fd_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(fd_, found->ai_addr, found->ai_addrlen) != 0) {
      give_up("cannot connect to " + options.url + ": " + std::generic_category().message(errno));
    }
    ::freeaddrinfo(found);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (options.tls) start_tls(options);
  }

  // 0 or less: it has ended.
  ssize_t read(char* to, std::size_t size) {
    if (ssl_ != nullptr) return SSL_read(ssl_, to, static_cast<int>(size));
    return ::recv(fd_, to, size, 0);
  }
  bool write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ssl_ != nullptr
                               ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                               : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

 private:
  void start_tls(const ContenderOptions& options) {
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_read_ahead(context, 1);
    if (SSL_CTX_load_verify_locations(context, options.ca.c_str(), nullptr) != 1) {
      give_up("--ca " + options.ca + ": is no certificate in PEM");
    }
    ssl_ = SSL_new(context);
    SSL_set_fd(ssl_, fd_);
    if (SSL_connect(ssl_) != 1) {
      char reason[256];
      ERR_error_string_n(ERR_get_error(), reason, sizeof reason);
      give_up(std::string("TLS: ") + reason);
    }
  }

  int fd_ = -1;
  SSL* ssl_ = nullptr;
};

}  // namespace bench
