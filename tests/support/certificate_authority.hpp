// CertificateAuthority: certificates and keys of a test's own, made when it runs, so that none of
// them is in the tree and none of them expires there.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace triggerd::test {

// A certificate with its private key. Copies share both.
struct Identity {
  std::shared_ptr<X509> certificate;
  std::shared_ptr<EVP_PKEY> key;

  std::string certificate_pem() const;
  std::string key_pem(const std::string& password = {}) const;  // encrypted, where there is one
};

struct CertificateOptions {
  std::string name = "test";                                    // its common name
  std::vector<std::string> hosts = {"localhost", "127.0.0.1"};  // names and addresses
  std::vector<std::string> dns_only = {};                       // as DNS names, addresses too
  std::chrono::seconds from{-3600};                             // from now
  std::chrono::seconds to{365 * 24 * 3600};
  bool is_authority = false;
};

// Throws std::runtime_error where OpenSSL fails.
class CertificateAuthority {
 public:
  explicit CertificateAuthority(const std::string& name = "Test CA");
  // One that `parent` has signed.
  CertificateAuthority(const CertificateAuthority& parent, const std::string& name);

  Identity issue(const CertificateOptions& options = {}) const;
  const Identity& identity() const { return identity_; }
  std::string pem() const { return identity_.certificate_pem(); }

 private:
  Identity identity_;
};

Identity self_signed(const CertificateOptions& options = {});

// One key of a PKCS#12 file, with its friendly name.
struct NamedKey {
  std::string name;
  Identity identity;
};
// The bytes of a PKCS#12 file with these keys, and with `others` beside them.
std::string pkcs12(const std::vector<NamedKey>& keys, const std::string& password,
                   const std::vector<Identity>& others = {});

}  // namespace triggerd::test
