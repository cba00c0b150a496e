#include "support/certificate_authority.hpp"

#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace triggerd::test {
namespace {

void require(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("OpenSSL: ") + what);
}

std::string take(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  require(extension != nullptr, "X509V3_EXT_conf_nid");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

bool is_address(const std::string& host) {
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(host.c_str());
  const bool is = address != nullptr;
  ASN1_OCTET_STRING_free(address);
  return is;
}

// Signed by `issuer`, or by itself.
Identity make(const CertificateOptions& options, const Identity* issuer) {
  Identity made{{X509_new(), &X509_free}, {EVP_EC_gen("P-256"), &EVP_PKEY_free}};
  X509* certificate = made.certificate.get();
  require(certificate != nullptr && made.key != nullptr, "X509_new, EVP_EC_gen");
  X509_set_version(certificate, X509_VERSION_3);
  std::uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1U);
  X509_gmtime_adj(X509_getm_notBefore(certificate), static_cast<long>(options.from.count()));
  X509_gmtime_adj(X509_getm_notAfter(certificate), static_cast<long>(options.to.count()));
  X509_set_pubkey(certificate, made.key.get());
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(options.name.c_str()), -1, -1,
                             0);
  X509* parent = issuer == nullptr ? certificate : issuer->certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(parent));
  add_extension(certificate, parent, NID_subject_key_identifier, "hash");
  add_extension(certificate, parent, NID_authority_key_identifier, "keyid");
  if (options.is_authority) {
    add_extension(certificate, parent, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(certificate, parent, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    add_extension(certificate, parent, NID_basic_constraints, "critical,CA:FALSE");
    std::string names;
    for (const std::string& host : options.hosts) {
      names += (names.empty() ? "" : ",") + std::string(is_address(host) ? "IP:" : "DNS:") + host;
    }
    for (const std::string& name : options.dns_only) {
      names += (names.empty() ? "DNS:" : ",DNS:") + name;
    }
    if (!names.empty()) add_extension(certificate, parent, NID_subject_alt_name, names);
  }
  EVP_PKEY* key = issuer == nullptr ? made.key.get() : issuer->key.get();
  require(X509_sign(certificate, key, EVP_sha256()) > 0, "X509_sign");
  return made;
}

CertificateOptions authority(const std::string& name) {
  return {.name = name, .hosts = {}, .is_authority = true};
}

using Safes = STACK_OF(PKCS7);
using Bags = STACK_OF(PKCS12_SAFEBAG);

}  // namespace

std::string Identity::certificate_pem() const {
  BIO* out = BIO_new(BIO_s_mem());
  require(PEM_write_bio_X509(out, certificate.get()) == 1, "PEM_write_bio_X509");
  return take(out);
}

std::string Identity::key_pem(const std::string& password) const {
  BIO* out = BIO_new(BIO_s_mem());
  const EVP_CIPHER* cipher = password.empty() ? nullptr : EVP_aes_256_cbc();
  const auto* secret = reinterpret_cast<const unsigned char*>(password.data());
  require(PEM_write_bio_PrivateKey(out, key.get(), cipher, secret,
                                   static_cast<int>(password.size()), nullptr, nullptr) == 1,
          "PEM_write_bio_PrivateKey");
  return take(out);
}

CertificateAuthority::CertificateAuthority(const std::string& name)
    : identity_(make(authority(name), nullptr)) {}

CertificateAuthority::CertificateAuthority(const CertificateAuthority& parent,
                                           const std::string& name)
    : identity_(make(authority(name), &parent.identity_)) {}

Identity CertificateAuthority::issue(const CertificateOptions& options) const {
  return make(options, &identity_);
}

Identity self_signed(const CertificateOptions& options) {
  return make(options, nullptr);
}

std::string pkcs12(const std::vector<NamedKey>& keys, const std::string& password,
                   const std::vector<Identity>& others) {
  Bags* certificates = nullptr;
  Bags* secrets = nullptr;
  for (const NamedKey& named : keys) {
    PKCS12_SAFEBAG* bag = PKCS12_add_cert(&certificates, named.identity.certificate.get());
    require(bag != nullptr, "PKCS12_add_cert");
    PKCS12_add_friendlyname_utf8(bag, named.name.c_str(), -1);
    bag = PKCS12_add_key(&secrets, named.identity.key.get(), 0, PKCS12_DEFAULT_ITER,
                         NID_aes_256_cbc, password.c_str());
    require(bag != nullptr, "PKCS12_add_key");
    PKCS12_add_friendlyname_utf8(bag, named.name.c_str(), -1);
  }
  for (const Identity& other : others) PKCS12_add_cert(&certificates, other.certificate.get());
  Safes* safes = nullptr;
  require(PKCS12_add_safe(&safes, certificates, NID_aes_256_cbc, PKCS12_DEFAULT_ITER,
                          password.c_str()) == 1 &&
              PKCS12_add_safe(&safes, secrets, -1, 0, nullptr) == 1,
          "PKCS12_add_safe");
  PKCS12* file = PKCS12_add_safes(safes, 0);
  require(file != nullptr, "PKCS12_add_safes");
  PKCS12_set_mac(file, password.c_str(), -1, nullptr, 0, PKCS12_DEFAULT_ITER, EVP_sha256());
  BIO* out = BIO_new(BIO_s_mem());
  i2d_PKCS12_bio(out, file);
  PKCS12_free(file);
  sk_PKCS7_pop_free(safes, &PKCS7_free);
  sk_PKCS12_SAFEBAG_pop_free(certificates, &PKCS12_SAFEBAG_free);
  sk_PKCS12_SAFEBAG_pop_free(secrets, &PKCS12_SAFEBAG_free);
  return take(out);
}

}  // namespace triggerd::test
