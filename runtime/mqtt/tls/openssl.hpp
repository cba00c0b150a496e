// Owners for what OpenSSL allocates, and its errors as text. OpenSSL's types are only declared
// here: sources include its headers.
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

// OpenSSL's security level (SSL_CTX_set_security_level), for every connection. Only some versions
// of the MQTT library set it; with the others the system would decide, and a server with old keys
// would work on one machine and not on the next.
inline constexpr int kSecurityLevel = 1;

// The oldest error of this thread, in words; clears all of them.
std::string take_error();

// A BIO that reads from `bytes`, which outlive it.
BioPtr reading(std::string_view bytes);
// What was written to `bio`.
std::string content_of(BIO* bio);

}  // namespace triggerd::mqtt::tls
