#include "mqtt/tls/pkcs12.hpp"

#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

namespace triggerd::mqtt::tls {
namespace {

constexpr int kMaxNesting = 8;

using Bags =
    std::unique_ptr<STACK_OF(PKCS12_SAFEBAG), decltype([](STACK_OF(PKCS12_SAFEBAG) * bags) {
                      sk_PKCS12_SAFEBAG_pop_free(bags, &PKCS12_SAFEBAG_free);
                    })>;
using Safes = std::unique_ptr<STACK_OF(PKCS7), decltype([](STACK_OF(PKCS7) * safes) {
                                sk_PKCS7_pop_free(safes, &PKCS7_free);
                              })>;
struct FreeKeyInfo {
  void operator()(PKCS8_PRIV_KEY_INFO* info) const { PKCS8_PRIV_KEY_INFO_free(info); }
};
using Pkcs8Ptr = std::unique_ptr<PKCS8_PRIV_KEY_INFO, FreeKeyInfo>;

std::string name_of(PKCS12_SAFEBAG* bag) {
  char* name = PKCS12_get_friendlyname(bag);
  std::string text = name == nullptr ? "" : name;
  OPENSSL_free(name);
  return text;
}

class Reader {
 public:
  explicit Reader(const std::string* password)
      : password_(password == nullptr ? nullptr : password->c_str()),
        size_(password == nullptr ? 0 : static_cast<int>(password->size())) {}

  Result<Pkcs12Content> read(PKCS12* file) {
    const Safes safes(PKCS12_unpack_authsafes(file));
    if (!safes) return fail("it is damaged: {}", take_error());
    for (int i = 0; i < sk_PKCS7_num(safes.get()); ++i) {
      PKCS7* safe = sk_PKCS7_value(safes.get(), i);
      const int type = OBJ_obj2nid(safe->type);
      Bags bags;
      if (type == NID_pkcs7_data) bags.reset(PKCS12_unpack_p7data(safe));
      if (type == NID_pkcs7_encrypted) bags.reset(PKCS12_unpack_p7encdata(safe, password_, size_));
      if (!bags) return undecipherable("a part of it");
      if (auto done = take(bags.get(), 0); !done) return tl::make_unexpected(done.error());
    }
    return std::move(content_);
  }

 private:
  // Its password was right, as the integrity of the whole was checked with it.
  static tl::unexpected<Error> undecipherable(std::string_view what) {
    return fail(
        "cannot decrypt {}: {}; if it was encrypted with RC2 or another old algorithm, write it "
        "again with AES (openssl pkcs12)",
        what, take_error());
  }

  Result<> take(const STACK_OF(PKCS12_SAFEBAG) * bags, int depth) {
    if (depth > kMaxNesting) return fail("it is nested too deeply");
    for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags); ++i) {
      PKCS12_SAFEBAG* bag = sk_PKCS12_SAFEBAG_value(bags, i);
      Result<> done;
      switch (PKCS12_SAFEBAG_get_nid(bag)) {
        case NID_keyBag:
          done = take_key(bag, PKCS12_SAFEBAG_get0_p8inf(bag));
          break;
        case NID_pkcs8ShroudedKeyBag: {
          const Pkcs8Ptr plain(PKCS12_decrypt_skey(bag, password_, size_));
          if (!plain) return undecipherable("a private key in it");
          done = take_key(bag, plain.get());
          break;
        }
        case NID_certBag:
          if (PKCS12_SAFEBAG_get_bag_nid(bag) == NID_x509Certificate) {
            X509Ptr certificate(PKCS12_SAFEBAG_get1_cert(bag));
            if (!certificate) return fail("a certificate in it is malformed: {}", take_error());
            content_.certificates.emplace_back(name_of(bag), std::move(certificate));
          }
          break;
        case NID_safeContentsBag:
          done = take(PKCS12_SAFEBAG_get0_safes(bag), depth + 1);
          break;
        default:
          break;
      }
      if (!done) return done;
    }
    return {};
  }

  Result<> take_key(PKCS12_SAFEBAG* bag, const PKCS8_PRIV_KEY_INFO* info) {
    KeyPtr key(EVP_PKCS82PKEY(info));
    if (!key) return fail("a private key in it is malformed: {}", take_error());
    content_.keys.emplace_back(name_of(bag), std::move(key));
    return {};
  }

  const char* const password_;
  const int size_;
  Pkcs12Content content_;
};

}  // namespace

Result<Pkcs12Content> parse_pkcs12(std::string_view bytes, const std::string& password) {
  const BioPtr in = reading(bytes);
  ERR_clear_error();
  const Pkcs12Ptr file(d2i_PKCS12_bio(in.get(), nullptr));
  if (!file) {
    ERR_clear_error();
    return fail("it is not a PKCS#12 file; for PEM files write certificate and private_key");
  }
  if (PKCS12_mac_present(file.get()) == 0) return Reader(&password).read(file.get());
  // Without a password there are two ways to write one: none, and an empty one.
  if (PKCS12_verify_mac(file.get(), password.data(), static_cast<int>(password.size())) == 1) {
    return Reader(&password).read(file.get());
  }
  if (password.empty() && PKCS12_verify_mac(file.get(), nullptr, 0) == 1) {
    return Reader(nullptr).read(file.get());
  }
  ERR_clear_error();
  if (password.empty()) return fail("it is encrypted; write password or password_file");
  return fail("wrong password, or it is damaged");
}

}  // namespace triggerd::mqtt::tls
