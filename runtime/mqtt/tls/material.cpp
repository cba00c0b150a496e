#include "mqtt/tls/material.hpp"

#include <openssl/evp.h>

#include <algorithm>

#include "config/config.hpp"
#include "config/password_file.hpp"
#include "mqtt/tls/certificate.hpp"
#include "mqtt/tls/keystore.hpp"
#include "mqtt/tls/truststore.hpp"

namespace triggerd::mqtt::tls {
namespace {

std::string digest_of(std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr);
  return {reinterpret_cast<const char*>(digest), size};
}

std::string encode_alpn(const std::vector<std::string>& protocols) {
  std::string encoded;
  for (const std::string& protocol : protocols) {
    encoded += static_cast<char>(protocol.size());
    encoded += protocol;
  }
  return encoded;
}

std::string name_of(const config::Alias& alias, const Key& key) {
  return fmt::format("{}keystore \"{}\" ({})",
                     key.alias.empty() ? "" : fmt::format("key \"{}\" of ", key.alias),
                     alias.keystore, subject_of(key.chain.front().get()));
}

tl::unexpected<config::Diagnostic> diagnostic(const config::Place& place, std::string_view kind,
                                              const std::string& name, std::string_view message) {
  return tl::make_unexpected(
      config::Diagnostic{place, fmt::format("{} \"{}\": {}", kind, name, message)});
}

}  // namespace

Result<MaterialPtr> Material::make(const config::Config& config, const config::Alias& alias,
                                   const Truststore& truststore, const Key* key) {
  auto made = std::make_shared<Material>();
  made->alpn_ = encode_alpn(alias.alpn);
  made->truststore_name_ = alias.truststore;
  std::string all = truststore.system ? "system" : truststore.pem;
  const config::Place trusted_place = config.find_truststore(alias.truststore)->file_place;
  if (!truststore.system) {
    auto file = MemoryFile::make(truststore.pem);
    if (!file) return tl::make_unexpected(file.error());
    made->truststore_file_ = std::move(*file);
    bool has_root = false;
    for (const X509Ptr& trusted : truststore.certificates) {
      has_root = has_root || is_root(trusted.get());
      made->dated_.push_back(
          {trusted_place,
           fmt::format("{} in truststore \"{}\"", subject_of(trusted.get()), alias.truststore),
           validity_of(trusted.get())});
    }
    if (!has_root) {
      made->lasting_.push_back(
          {LogLevel::warn, trusted_place,
           fmt::format("truststore \"{}\" holds no root certificate (one that is its own issuer), "
                       "so no chain can end in it",
                       alias.truststore)});
    }
  }
  if (key != nullptr) {
    const std::string chain = key->chain_pem();
    const std::string secret = key->key_pem();
    auto certificate_file = MemoryFile::make(chain);
    if (!certificate_file) return tl::make_unexpected(certificate_file.error());
    auto key_file = MemoryFile::make(secret);
    if (!key_file) return tl::make_unexpected(key_file.error());
    made->certificate_file_ = std::move(*certificate_file);
    made->key_file_ = std::move(*key_file);
    made->key_name_ = name_of(alias, *key);
    made->dated_.push_back({config.find_keystore(alias.keystore)->file_place, made->key_name_,
                            validity_of(key->chain.front().get()), true});
    all += chain + digest_of(secret);
  }
  made->digest_ = digest_of(all);
  return MaterialPtr(std::move(made));
}

std::optional<Wall> Material::not_after() const {
  const auto own =
      std::find_if(dated_.begin(), dated_.end(), [](const Dated& dated) { return dated.own; });
  return own == dated_.end() ? std::nullopt : std::optional(own->validity.to);
}

std::vector<Remark> Material::remarks(Wall now) const {
  std::vector<Remark> found = lasting_;
  for (const Dated& dated : dated_) {
    const bool good = age_of(dated.validity, now) == Age::good;
    if (good && !dated.own) continue;
    found.push_back(
        {good ? LogLevel::info : LogLevel::warn, dated.place,
         fmt::format("the certificate of {} {}", dated.what, age_text(dated.validity, now))});
  }
  return found;
}

tl::expected<MaterialPtr, config::Diagnostic> load_material(const config::Config& config,
                                                            const config::Alias& alias) {
  const config::Truststore& trusted = *config.find_truststore(alias.truststore);
  auto truststore = load_truststore(trusted);
  if (!truststore) {
    return diagnostic(trusted.file_place, "truststore", trusted.name, truststore.error().message);
  }
  tl::expected<Keystore, KeystoreError> keystore;
  const Key* key = nullptr;
  if (!alias.keystore.empty()) {
    config::Keystore section = *config.find_keystore(alias.keystore);
    if (!section.password_file.empty()) {
      auto password = config::read_password_file(section.password_file);
      if (!password) {
        return diagnostic(section.place, "keystore", section.name, password.error().message);
      }
      section.password = config::Secret(*std::move(password));
    }
    keystore = load_keystore(section);
    if (!keystore) {
      return diagnostic(keystore.error().of_key ? section.private_key_place : section.file_place,
                        "keystore", section.name, keystore.error().message);
    }
    const auto found = find_key(*keystore, alias.key_alias, alias.keystore);
    if (!found) {
      const bool named = !alias.key_alias.empty();
      return tl::make_unexpected(config::Diagnostic{
          named ? alias.key_alias_place : alias.keystore_place, found.error().message});
    }
    key = *found;
  }
  auto made = Material::make(config, alias, *truststore, key);
  if (!made) return tl::make_unexpected(config::Diagnostic{alias.place, made.error().message});
  return *std::move(made);
}

MaterialPtr Current::get() const {
  MutexLock lock(mutex_);
  return material_;
}

void Current::set(MaterialPtr material) {
  std::vector<Listener> told;
  {
    MutexLock lock(mutex_);
    material_ = std::move(material);
    forget_those_gone();
    told = listeners_;
  }
  for (const Listener& listener : told) {
    // Whoever it is stays while it is called.
    if (const auto owner = listener.owner.lock()) listener.call();
  }
}

void Current::on_change(std::weak_ptr<const void> owner, std::function<void()> call) {
  MutexLock lock(mutex_);
  // New material may be years away, and connections come and go with every test of an alias.
  forget_those_gone();
  listeners_.push_back({std::move(owner), std::move(call)});
}

std::size_t Current::listeners() const {
  MutexLock lock(mutex_);
  return listeners_.size();
}

void Current::forget_those_gone() {
  std::erase_if(listeners_, [](const Listener& listener) { return listener.owner.expired(); });
}

}  // namespace triggerd::mqtt::tls
