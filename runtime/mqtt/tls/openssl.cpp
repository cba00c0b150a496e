#include "mqtt/tls/openssl.hpp"

#include <fmt/core.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace triggerd::mqtt::tls {

void Free::operator()(BIO* bio) const {
  BIO_free(bio);
}
void Free::operator()(EVP_PKEY* key) const {
  EVP_PKEY_free(key);
}
void Free::operator()(PKCS12* file) const {
  PKCS12_free(file);
}
void Free::operator()(SSL_CTX* context) const {
  SSL_CTX_free(context);
}
void Free::operator()(SSL* ssl) const {
  SSL_free(ssl);
}
void Free::operator()(X509* certificate) const {
  X509_free(certificate);
}

std::string take_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "no reason given";
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : fmt::format("error {:x}", code);
}

BioPtr reading(std::string_view bytes) {
  return BioPtr(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

std::string content_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace triggerd::mqtt::tls
