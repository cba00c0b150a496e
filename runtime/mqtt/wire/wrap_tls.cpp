// What the MQTT library asks OpenSSL about names, and with which settings: see tls/names.hpp. The
// linker makes the library call these names instead (wire.cmake).
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <string>
#include <string_view>

#include "mqtt/tls/names.hpp"
#include "mqtt/tls/openssl.hpp"
#include "mqtt/wire/dial.hpp"

// NOLINTBEGIN(bugprone-reserved-identifier): the linker chose the prefix.

namespace tls = triggerd::mqtt::tls;

extern "C" {

// Some versions of the library set no security level, others set 1.
SSL_CTX* __wrap_SSL_CTX_new(const SSL_METHOD* method) {
  SSL_CTX* const context = SSL_CTX_new(method);
  if (context != nullptr) SSL_CTX_set_security_level(context, tls::kSecurityLevel);
  return context;
}

// The library asks whether the certificate is issued for a name, and if it is not, whether it is
// issued for an address of that text. An address is not a name.
int __wrap_X509_check_host(X509* certificate, const char* name, std::size_t length, unsigned flags,
                           char** found) {
  const std::string host = triggerd::mqtt::wire::dialled_host({name, length});
  if (tls::is_address(host)) return 0;
  const std::string_view plain = tls::plain_host(host);
  const int result =
      X509_check_host(certificate, plain.data(), plain.size(), flags | tls::kNameFlags, found);
  return result == 1 ? 1 : 0;  // the library does not know all of the other answers
}

int __wrap_X509_check_ip_asc(X509* certificate, const char* address, unsigned flags) {
  const std::string host = triggerd::mqtt::wire::dialled_host(address);
  const std::string plain(tls::plain_host(host));
  return X509_check_ip_asc(certificate, plain.c_str(), flags) == 1 ? 1 : 0;
}

// SNI carries names and no addresses (RFC 6066, section 3).
long __wrap_SSL_ctrl(SSL* ssl, int command, long number, void* argument) {
  if (command == SSL_CTRL_SET_TLSEXT_HOSTNAME && argument != nullptr) {
    const std::string host = triggerd::mqtt::wire::dialled_host(static_cast<const char*>(argument));
    if (tls::is_address(host)) return 1;
    std::string plain(tls::plain_host(host));
    return SSL_ctrl(ssl, command, number, plain.data());
  }
  return SSL_ctrl(ssl, command, number, argument);
}

}  // extern "C"

// NOLINTEND(bugprone-reserved-identifier)
