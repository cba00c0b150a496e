// What OpenSSL allocates, freed by its owner; and its errors as text. The names of OpenSSL's types
// alone: sources include its headers.
#pragma once

#include <memory>
#include <string>
#include <string_view>

// As OpenSSL declares them.
typedef struct bio_st BIO;
typedef struct evp_pkey_st EVP_PKEY;
typedef struct PKCS12_st PKCS12;
typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;
typedef struct x509_st X509;

namespace triggerd::mqtt::tls {

struct Free {
  void operator()(BIO* bio) const;
  void operator()(EVP_PKEY* key) const;
  void operator()(PKCS12* file) const;
  void operator()(SSL_CTX* context) const;
  void operator()(SSL* ssl) const;
  void operator()(X509* certificate) const;
};
using BioPtr = std::unique_ptr<BIO, Free>;
using X509Ptr = std::unique_ptr<X509, Free>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free>;
using Pkcs12Ptr = std::unique_ptr<PKCS12, Free>;
using ContextPtr = std::unique_ptr<SSL_CTX, Free>;
using SslPtr = std::unique_ptr<SSL, Free>;

// OpenSSL's (SSL_CTX_set_security_level), for every connection. The MQTT library sets it in some of
// its versions; in the others the system would decide, and servers with old keys would work on one
// and not on the next.
inline constexpr int kSecurityLevel = 1;

// The oldest error of this thread, in words; clears them all.
std::string take_error();

// For reading; `bytes` outlive it.
BioPtr reading(std::string_view bytes);
// What was written to `bio`.
std::string content_of(BIO* bio);

}  // namespace triggerd::mqtt::tls
