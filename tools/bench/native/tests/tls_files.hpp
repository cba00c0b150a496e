// A certificate of the test's own for 127.0.0.1, and its key, as files.
#pragma once

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <string>

namespace bench {

struct TlsFiles {
  explicit TlsFiles(const std::filesystem::path& dir)
      : certificate(dir / "certificate.pem"), key(dir / "key.pem") {
    EVP_PKEY* const pair = EVP_EC_gen("P-256");
    X509* const made = X509_new();
    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
    X509_gmtime_adj(X509_getm_notBefore(made), -60);
    X509_gmtime_adj(X509_getm_notAfter(made), 3600);
    X509_set_pubkey(made, pair);
    X509_NAME* const name = X509_get_subject_name(made);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("bench"), -1, -1, 0);
    X509_set_issuer_name(made, name);
    X509_EXTENSION* const address =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
    X509_add_ext(made, address, -1);
    X509_EXTENSION_free(address);
    EXPECT_GT(X509_sign(made, pair, EVP_sha256()), 0);
    if (std::FILE* out = std::fopen(certificate.c_str(), "we")) {
      EXPECT_EQ(PEM_write_X509(out, made), 1);
      std::fclose(out);
    }
    if (std::FILE* out = std::fopen(key.c_str(), "we")) {
      EXPECT_EQ(PEM_write_PrivateKey(out, pair, nullptr, nullptr, 0, nullptr, nullptr), 1);
      std::fclose(out);
    }
    X509_free(made);
    EVP_PKEY_free(pair);
  }

  const std::string certificate;
  const std::string key;
};

}  // namespace bench
