// What OpenSSL allocates, freed by its owner; and its errors as text.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

namespace triggerd::mqtt::tls {

template <auto free>
struct Free {
  template <class T>
  void operator()(T* object) const {
    free(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Free<&BIO_free>>;
using X509Ptr = std::unique_ptr<X509, Free<&X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<&EVP_PKEY_free>>;
using Pkcs12Ptr = std::unique_ptr<PKCS12, Free<&PKCS12_free>>;
using ContextPtr = std::unique_ptr<SSL_CTX, Free<&SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, Free<&SSL_free>>;

// The oldest error of this thread, in words; clears them all.
std::string take_error();

// For reading; `bytes` outlive it.
BioPtr reading(std::string_view bytes);
// What was written to `bio`.
std::string content_of(BIO* bio);

}  // namespace triggerd::mqtt::tls
