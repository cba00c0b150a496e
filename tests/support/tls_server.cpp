#include "support/tls_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <stdexcept>

#include "support/eventually.hpp"

namespace triggerd::test {
namespace {

constexpr std::size_t kStalledBytes = 40;

void require(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("TlsServer: ") + what);
}

std::string encode(const std::vector<std::string>& protocols) {
  std::string encoded;
  for (const std::string& protocol : protocols) {
    encoded += static_cast<char>(protocol.size()) + protocol;
  }
  return encoded;
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in,
                    unsigned in_size, void* options) {
  const std::string ours = encode(static_cast<const TlsServerOptions*>(options)->alpn);
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned>(ours.size()), in,
                            in_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  // `chosen` may point into `ours`; the same bytes are in what came.
  const auto* found = std::search(in, in + in_size, chosen, chosen + *size);
  *out = found;
  return SSL_TLSEXT_ERR_OK;
}

bool read_all(SSL* ssl, std::string& to, std::size_t size) {
  to.resize(size);
  std::size_t got = 0;
  while (got < size) {
    const int some = SSL_read(ssl, to.data() + got, static_cast<int>(size - got));
    if (some <= 0) return false;
    got += static_cast<std::size_t>(some);
  }
  return true;
}

// OpenSSL reads a certificate's extensions when it is first asked about them, and tells other
// threads by an atomic that ThreadSanitizer does not see: read now, before there are threads that
// share it.
void read_extensions(X509* certificate) {
  X509_check_purpose(certificate, -1, 0);
}

void write_all(SSL* ssl, const std::string& bytes) {
  SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

TlsServer::TlsServer(const TlsServerOptions& options)
    : options_(options),
      context_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      held_(options.handshake == TlsServerOptions::Handshake::held) {
  std::signal(SIGPIPE, SIG_IGN);
  SSL_CTX* context = context_.get();
  SSL_CTX_set_security_level(context, 0);  // TLS 1.1 needs it
  SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0");
  SSL_CTX_set_min_proto_version(context, options.lowest);
  SSL_CTX_set_max_proto_version(context, options.highest);
  require(SSL_CTX_use_certificate(context, options.identity.certificate.get()) == 1 &&
              SSL_CTX_use_PrivateKey(context, options.identity.key.get()) == 1,
          "SSL_CTX_use_certificate");
  read_extensions(options.identity.certificate.get());
  for (const Identity& link : options.chain) {
    read_extensions(link.certificate.get());
    SSL_CTX_add1_chain_cert(context, link.certificate.get());
  }
  if (!options.client_ca.empty()) {
    BIO* in = BIO_new_mem_buf(options.client_ca.data(), static_cast<int>(options.client_ca.size()));
    X509* authority = PEM_read_bio_X509(in, nullptr, nullptr, nullptr);
    BIO_free(in);
    require(authority != nullptr, "client_ca");
    read_extensions(authority);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority);
    X509_free(authority);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    static const unsigned char kId = 1;
    SSL_CTX_set_session_id_context(context, &kId, 1);
  }
  if (!options.alpn.empty()) {
    SSL_CTX_set_alpn_select_cb(context, &choose_protocol, const_cast<TlsServerOptions*>(&options_));
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  require(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0 &&
              ::listen(listener_.get(), 64) == 0 &&
              ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0,
          "listen");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept(); });
}

TlsServer::~TlsServer() {
  ending_ = true;
  held_ = false;
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  drop();
  std::vector<std::thread> all;
  {
    MutexLock lock(mutex_);
    all.swap(connections_);
  }
  for (std::thread& thread : all) thread.join();
}

std::vector<TlsServer::Seen> TlsServer::seen() const {
  MutexLock lock(mutex_);
  return seen_;
}

void TlsServer::drop() {
  MutexLock lock(mutex_);
  for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
}

void TlsServer::accept() {
  while (!ending_) {
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    ++accepted_;
    MutexLock lock(mutex_);
    open_.push_back(fd);
    connections_.emplace_back([this, fd] { serve(fd); });
  }
}

void TlsServer::serve(int fd) {
  SSL* ssl = SSL_new(context_.get());
  if (handshake(ssl, fd)) {
    const unsigned char* protocol = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl, &protocol, &size);
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    Seen seen{.server_name = name == nullptr ? "" : name,
              .alpn = {reinterpret_cast<const char*>(protocol), size},
              .version = SSL_version(ssl),
              .resumed = SSL_session_reused(ssl) == 1,
              .client = {}};
    if (X509* certificate = SSL_get1_peer_certificate(ssl)) {
      char text[256];
      seen.client = X509_NAME_oneline(X509_get_subject_name(certificate), text, sizeof text);
      X509_free(certificate);
    }
    {
      MutexLock lock(mutex_);
      seen_.push_back(std::move(seen));
    }
    speak_mqtt(ssl);
  }
  SSL_free(ssl);
  {
    MutexLock lock(mutex_);
    std::erase(open_, fd);
  }
  ::close(fd);
}

bool TlsServer::handshake(SSL* ssl, int fd) const {
  using Handshake = TlsServerOptions::Handshake;
  const auto wait_for_the_end = [fd] {
    char byte = 0;
    while (::recv(fd, &byte, 1, 0) > 0) {
    }
  };
  switch (options_.handshake) {
    case Handshake::silent:
      wait_for_the_end();
      return false;
    case Handshake::stalled: {
      char hello[4096];
      const ssize_t got = ::recv(fd, hello, sizeof hello, 0);
      if (got <= 0) return false;
      BIO* in = BIO_new_mem_buf(hello, static_cast<int>(got));
      BIO* out = BIO_new(BIO_s_mem());
      SSL_set_bio(ssl, in, out);
      SSL_accept(ssl);
      char answer[kStalledBytes];
      const int size = BIO_read(out, answer, sizeof answer);
      if (size > 0) ::send(fd, answer, static_cast<std::size_t>(size), MSG_NOSIGNAL);
      wait_for_the_end();
      return false;
    }
    case Handshake::held:
      (void)eventually([this] { return !held_; }, 3 * kPatience);
      break;
    case Handshake::done:
      break;
  }
  SSL_set_fd(ssl, fd);
  return SSL_accept(ssl) == 1;
}

void TlsServer::speak_mqtt(SSL* ssl) {
  std::string header;
  while (read_all(ssl, header, 1)) {
    std::size_t length = 0;
    std::string byte;
    for (unsigned shift = 0; shift < 28; shift += 7) {
      if (!read_all(ssl, byte, 1)) return;
      length |= static_cast<std::size_t>(byte[0] & 0x7f) << shift;
      if ((byte[0] & 0x80) == 0) break;
    }
    std::string body;
    if (!read_all(ssl, body, length)) return;
    switch (static_cast<unsigned char>(header[0]) >> 4U) {
      case 1:
        ++connects_;
        write_all(ssl, std::string("\x20\x02\x00\x00", 4));
        break;
      case 8:
        write_all(ssl, std::string("\x90\x03", 2) + body.substr(0, 2) + std::string("\x01", 1));
        break;
      case 12:
        write_all(ssl, std::string("\xd0\x00", 2));
        break;
      case 14:
        return;
      default:
        break;
    }
  }
}

}  // namespace triggerd::test
