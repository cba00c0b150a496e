// TlsServer: a TLS server of the test's own that can misbehave, with just enough MQTT 3.1.1 behind
// it for a client with one filter to be content.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/file.hpp"
#include "base/mutex.hpp"
#include "support/certificate_authority.hpp"

namespace triggerd::test {

struct TlsServerOptions {
  enum class Handshake {
    done,
    silent,   // connections are accepted, and nothing is ever said
    stalled,  // a part of the first answer, and nothing more
    held      // not before release()
  };
  Identity identity;
  std::vector<Identity> chain = {};  // sent behind its certificate
  std::string client_ca = {};        // PEM; with one, clients need a certificate of it
  int lowest = TLS1_2_VERSION;
  int highest = TLS1_3_VERSION;
  std::vector<std::string> alpn = {};  // what it speaks; with any, others are refused
  Handshake handshake = Handshake::done;
};

// Threads: one of its own for each connection; every function may be called from any other.
class TlsServer {
 public:
  // What it saw of one handshake that was done.
  struct Seen {
    std::string server_name;  // SNI
    std::string alpn;
    int version = 0;
    bool resumed = false;
    std::string client;  // the subject of its certificate
  };

  explicit TlsServer(const TlsServerOptions& options);
  ~TlsServer();
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::vector<Seen> seen() const;
  int accepted() const { return accepted_; }
  // MQTT CONNECT packets that came.
  int connects() const { return connects_; }
  void release() { held_ = false; }
  // Ends every connection there is.
  void drop();

 private:
  void accept();
  void serve(int fd);
  bool handshake(SSL* ssl, int fd) const;
  void speak_mqtt(SSL* ssl);

  const TlsServerOptions options_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> held_;
  std::atomic<bool> ending_{false};
  std::atomic<int> accepted_{0};
  std::atomic<int> connects_{0};

  mutable Mutex mutex_;
  std::vector<Seen> seen_ TRIGGERD_GUARDED_BY(mutex_);
  std::vector<int> open_ TRIGGERD_GUARDED_BY(mutex_);
  std::vector<std::thread> connections_ TRIGGERD_GUARDED_BY(mutex_);

  std::thread acceptor_;
};

}  // namespace triggerd::test
