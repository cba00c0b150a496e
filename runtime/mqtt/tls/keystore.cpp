#include "mqtt/tls/keystore.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/file.hpp"
#include "base/text.hpp"
#include "config/diagnostics.hpp"
#include "config/tls_stores.hpp"
#include "mqtt/tls/pkcs12.hpp"

namespace triggerd::mqtt::tls {
namespace {

constexpr std::size_t kMaxFile = std::size_t{4} << 20;

tl::unexpected<KeystoreError> key_error(std::string message) {
  return tl::make_unexpected(KeystoreError{std::move(message), true});
}

// A file that holds a private key.
Result<std::string> read_private(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0) {
    return fail(
        "{} holds a private key and can be read by everybody (mode {:04o}); run chmod o= {}",
        path.string(), status.st_mode & 07777U, path.string());
  }
  return read_file(path, kMaxFile);
}

struct Asked {
  const std::string& password;
  bool yes = false;
};

int give_password(char* to, int size, int, void* context) {
  auto& asked = *static_cast<Asked*>(context);
  asked.yes = true;
  if (asked.password.empty() || asked.password.size() > static_cast<std::size_t>(size)) return -1;
  return static_cast<int>(asked.password.copy(to, asked.password.size()));
}

Result<KeyPtr> parse_key(const std::string& pem, const config::Keystore& section) {
  const BioPtr in = reading(pem);
  Asked asked{section.password.reveal()};
  ERR_clear_error();
  KeyPtr key(PEM_read_bio_PrivateKey(in.get(), nullptr, &give_password, &asked));
  if (key) return key;
  const std::string reason = take_error();
  const std::string file = section.private_key.string();
  if (asked.yes && asked.password.empty()) {
    return fail("the private key in {} is encrypted; write password or password_file", file);
  }
  if (asked.yes) return fail("cannot decrypt the private key in {}: wrong password", file);
  return fail("{} holds no private key in PEM form: {}", file, reason);
}

// Moves what leads from chain.back() towards a root from `others` to `chain`.
void complete(std::vector<X509Ptr>& chain, std::vector<X509Ptr>& others) {
  while (!is_root(chain.back().get())) {
    const auto issuer = std::find_if(others.begin(), others.end(), [&](const X509Ptr& other) {
      return X509_check_issued(other.get(), chain.back().get()) == X509_V_OK;
    });
    if (issuer == others.end() || is_root(issuer->get())) return;
    chain.push_back(std::move(*issuer));
    others.erase(issuer);
  }
}

bool fits(X509* certificate, EVP_PKEY* key) {
  const bool fits = X509_check_private_key(certificate, key) == 1;
  ERR_clear_error();
  return fits;
}

tl::expected<Keystore, KeystoreError> load_pem(const config::Keystore& section) {
  const auto text = read_file(section.certificate, kMaxFile);
  if (!text) return tl::make_unexpected(KeystoreError{text.error().message});
  auto certificates = parse_certificates(*text);
  const std::string file = section.certificate.string();
  if (!certificates) {
    return tl::make_unexpected(
        KeystoreError{fmt::format("{}: {}", file, certificates.error().message)});
  }
  if (certificates->empty()) {
    return tl::make_unexpected(KeystoreError{
        fmt::format("{} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", file)});
  }
  const auto secret = read_private(section.private_key);
  if (!secret) return key_error(secret.error().message);
  auto key = parse_key(*secret, section);
  if (!key) return key_error(key.error().message);
  Key found{.key = std::move(*key)};
  const auto own = std::find_if(certificates->begin(), certificates->end(),
                                [&](const X509Ptr& c) { return fits(c.get(), found.key.get()); });
  if (own == certificates->end()) {
    return key_error(fmt::format("the private key in {} does not match the certificate in {} ({})",
                                 section.private_key.string(), file,
                                 subject_of(certificates->front().get())));
  }
  found.chain.push_back(std::move(*own));
  certificates->erase(own);
  complete(found.chain, *certificates);
  Keystore keystore;
  keystore.keys.push_back(std::move(found));
  return keystore;
}

tl::expected<Keystore, KeystoreError> load_pkcs12(const config::Keystore& section) {
  const std::string file = section.file.string();
  const auto bytes = read_private(section.file);
  if (!bytes) return key_error(bytes.error().message);
  auto content = parse_pkcs12(*bytes, section.password.reveal());
  if (!content) return key_error(fmt::format("{}: {}", file, content.error().message));
  if (content->keys.empty()) return key_error(fmt::format("{} holds no private key", file));
  Keystore keystore;
  for (auto& [alias, key] : content->keys) {
    const auto own =
        std::find_if(content->certificates.begin(), content->certificates.end(),
                     [secret = key.get()](const auto& c) { return fits(c.second.get(), secret); });
    if (own == content->certificates.end()) {
      return key_error(fmt::format("{}: no certificate in it matches the private key \"{}\"", file,
                                   printable(alias)));
    }
    Key found{.alias = alias.empty() ? own->first : alias, .key = std::move(key)};
    X509_up_ref(own->second.get());  // two keys may share their certificates
    found.chain.emplace_back(own->second.get());
    std::vector<X509Ptr> others;
    for (const auto& [name, certificate] : content->certificates) {
      X509_up_ref(certificate.get());
      others.emplace_back(certificate.get());
    }
    complete(found.chain, others);
    keystore.keys.push_back(std::move(found));
  }
  return keystore;
}

// Of ASCII: key aliases of other letters are to be written as they are.
bool same_but_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [lower](char one, char other) { return lower(one) == lower(other); });
}

}  // namespace

std::string Key::chain_pem() const {
  std::string pem;
  for (const X509Ptr& certificate : chain) pem += to_pem(certificate.get());
  return pem;
}

std::string Key::key_pem() const {
  const BioPtr out(BIO_new(BIO_s_secmem()));
  PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return content_of(out.get());
}

tl::expected<Keystore, KeystoreError> load_keystore(const config::Keystore& section) {
  return section.file.empty() ? load_pem(section) : load_pkcs12(section);
}

Result<const Key*> find_key(const Keystore& keystore, const std::string& key_alias,
                            const std::string& name) {
  const std::vector<Key>& keys = keystore.keys;
  if (key_alias.empty() && keys.size() == 1) return &keys.front();
  std::string list;
  std::vector<std::string_view> aliases;
  for (const Key& key : keys) {
    if (key.alias == key_alias && !key_alias.empty()) return &key;
    list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", printable(key.alias));
    aliases.push_back(key.alias);
  }
  // Java, which made many a keystore, does not tell upper case from lower.
  const Key* alike = nullptr;
  for (const Key& key : keys) {
    if (key_alias.empty() || !same_but_case(key.alias, key_alias)) continue;
    if (alike != nullptr) {
      return fail("keystore \"{}\" has no key \"{}\", and several that differ from it in case: {}",
                  name, printable(key_alias), list);
    }
    alike = &key;
  }
  if (alike != nullptr) return alike;
  if (key_alias.empty()) {
    return fail("keystore \"{}\" holds {} keys ({}); write key_alias", name, keys.size(), list);
  }
  if (keys.size() == 1 && keys.front().alias.empty()) {
    return fail("keystore \"{}\" holds one key, which has no name; remove key_alias", name);
  }
  return fail("keystore \"{}\" has no key \"{}\", only {}{}", name, printable(key_alias), list,
              config::did_you_mean(key_alias, aliases));
}

}  // namespace triggerd::mqtt::tls
