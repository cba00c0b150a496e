#include "mqtt/tls/handshake.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "base/file.hpp"
#include "base/units.hpp"
#include "mqtt/tls/names.hpp"
#include "mqtt/tls/reasons.hpp"

namespace triggerd::mqtt::tls {
namespace {

int remember_failure(int good, X509_STORE_CTX* chain) {
  if (good == 1) return 1;
  const auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& failure = *static_cast<Failure*>(SSL_get_app_data(ssl));
  failure.verify_error = X509_STORE_CTX_get_error(chain);
  failure.verify_depth = X509_STORE_CTX_get_error_depth(chain);
  X509* certificate = X509_STORE_CTX_get_current_cert(chain);
  if (certificate != nullptr && X509_up_ref(certificate) == 1) {
    failure.certificate.reset(certificate);
  }
  return 0;
}

// The server asks for a certificate of ours.
int remember_request(SSL* ssl, void*) {
  static_cast<Failure*>(SSL_get_app_data(ssl))->asked_for_certificate = true;
  return 1;
}

class TrialHandshake {
 public:
  TrialHandshake(int fd, const HandshakeLimits& limits, const Clock& clock)
      : fd_(fd), limits_(limits), clock_(clock) {
    // As the MQTT library has it.
    context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_security_level(context_.get(), kSecurityLevel);
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
  }

  bool use(const Material& material) {
    SSL_CTX* context = context_.get();
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, &remember_failure);
    SSL_CTX_set_cert_cb(context, &remember_request, nullptr);
    const bool trusts =
        material.truststore_file().empty()
            ? SSL_CTX_set_default_verify_paths(context) == 1
            : SSL_CTX_load_verify_file(context, material.truststore_file().c_str()) == 1;
    const bool has_key =
        material.key_file().empty() ||
        (SSL_CTX_use_certificate_chain_file(context, material.certificate_file().c_str()) == 1 &&
         SSL_CTX_use_PrivateKey_file(context, material.key_file().c_str(), SSL_FILETYPE_PEM) == 1);
    const std::string& alpn = material.alpn();
    return trusts && has_key &&
           (alpn.empty() ||
            SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(alpn.data()),
                                    static_cast<unsigned>(alpn.size())) == 0);
  }

  // Empty: done, without objection.
  Failure run(const std::string& host) {
    Failure failure;
    ssl_.reset(SSL_new(context_.get()));
    SSL* ssl = ssl_.get();
    SSL_set_app_data(ssl, &failure);
    SSL_set_fd(ssl, fd_);
    const std::string plain(plain_host(host));
    if (is_address(plain)) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), plain.c_str());
    } else if (!plain.empty()) {
      SSL_set_hostflags(ssl, kNameFlags);
      SSL_set1_host(ssl, plain.c_str());
      SSL_set_tlsext_host_name(ssl, plain.c_str());
    }
    ERR_clear_error();
    drive(failure, limits_.answer, [ssl] { return SSL_connect(ssl); });
    failure.server_spoke = BIO_number_read(SSL_get_rbio(ssl)) > 0;
    if (failure.what != Failure::What::none) return failure;
    // What it could object to now is the certificate that it has asked for.
    if (!failure.asked_for_certificate) return failure;
    char byte = 0;
    drive(failure, limits_.objection, [ssl, &byte] { return SSL_read(ssl, &byte, 1); });
    // It may well be waiting for us.
    if (failure.what == Failure::What::timeout) failure.what = Failure::What::none;
    failure.after_handshake = true;
    return failure;
  }

 private:
  template <class Step>
  void drive(Failure& failure, Millis limit, Step step) const {
    const Monotonic deadline = clock_.now() + limit;
    for (;;) {
      const int result = step();
      const int error_number = errno;
      if (result > 0) return;
      const int error = SSL_get_error(ssl_.get(), result);
      if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        failure.what = error == SSL_ERROR_SSL ? Failure::What::tls : Failure::What::closed;
        failure.error = ERR_peek_error();
        failure.error_number = error == SSL_ERROR_SYSCALL ? error_number : 0;
        if (ERR_GET_REASON(failure.error) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
          failure.what = Failure::What::closed;
        }
        ERR_clear_error();
        return;
      }
      const auto left = std::chrono::duration_cast<Millis>(deadline - clock_.now());
      pollfd waiting{fd_, static_cast<short>(error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT), 0};
      if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) == 0) {
        failure.what = Failure::What::timeout;
        return;
      }
    }
  }

  const int fd_;
  const HandshakeLimits limits_;
  const Clock& clock_;
  ContextPtr context_;
  SslPtr ssl_;
};

}  // namespace

std::string why_handshake_fails(int fd, const std::string& host, const Material& material,
                                const HandshakeLimits& limits, const Clock& clock) {
  TrialHandshake trial(fd, limits, clock);
  if (!trial.use(material)) return fmt::format("cannot prepare TLS: {}", take_error());
  return reason_of(trial.run(host), host, material);
}

bool answers_in_tls(int fd, Millis limit, const Clock& clock) {
  TrialHandshake trial(fd, {.answer = limit}, clock);
  const Failure failure = trial.run("");
  // A server that wants a name or a certificate answers with an alert, which is TLS too.
  return failure.what == Failure::What::none || alert_of(failure).has_value();
}

}  // namespace triggerd::mqtt::tls
