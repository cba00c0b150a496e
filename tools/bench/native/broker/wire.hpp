// One accepted socket, plain or TLS, non-blocking.
#pragma once

#include <openssl/ssl.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace bench {

class Wire {
 public:
  enum class State : std::uint8_t { ok, blocked, ended };
  struct Moved {
    State state = State::ok;
    std::size_t bytes = 0;
  };

  // Owns `fd`. `tls` may be null: plain.
  Wire(int fd, SSL_CTX* tls);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  int fd() const { return fd_; }
  // Then more may be readable than the system knows: read() until it is blocked.
  bool is_tls() const { return ssl_ != nullptr; }
  Moved read(char* to, std::size_t size);
  // Over TLS what counts as written is kept here until the socket takes it: call flush() then.
  Moved write(const iovec* parts, std::size_t count);
  State flush();

 private:
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  State state_after(int result);

  const int fd_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  std::string staged_;
};

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeContext>;

// Throws std::runtime_error, which says which file is the trouble.
TlsContext tls_server(const std::string& certificate, const std::string& key);

}  // namespace bench
