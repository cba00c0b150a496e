#include "mqtt/tls/inventory.hpp"

#include <filesystem>
#include <set>

#include "config/config.hpp"
#include "config/password_file.hpp"
#include "mqtt/tls/keystore.hpp"
#include "mqtt/tls/rotation.hpp"
#include "mqtt/tls/truststore.hpp"

namespace triggerd::mqtt::tls {
namespace {

namespace fs = std::filesystem;

ListedCertificate listed(X509* certificate, std::string key_alias = {}) {
  return {std::move(key_alias), subject_of(certificate), issuer_of(certificate),
          validity_of(certificate)};
}

Listed read_truststore(const config::Truststore& section) {
  const auto loaded = load_truststore(section);
  if (!loaded) return {{}, loaded.error().message};
  Listed found;
  for (const X509Ptr& certificate : loaded->certificates) {
    found.certificates.push_back(listed(certificate.get()));
  }
  return found;
}

Listed read_keystore(config::Keystore section) {
  if (!section.password_file.empty()) {
    auto password = config::read_password_file(section.password_file);
    if (!password) return {{}, password.error().message};
    section.password = config::Secret(*std::move(password));
  }
  const auto loaded = load_keystore(section);
  if (!loaded) return {{}, loaded.error().message};
  Listed found;
  for (const Key& key : loaded->keys) {
    for (const X509Ptr& certificate : key.chain) {
      found.certificates.push_back(listed(certificate.get(), key.alias));
    }
  }
  return found;
}

// Each store of a configuration has its name once, and is another one where its files are others.
std::string id_of(const std::string& name, const std::vector<fs::path>& files) {
  std::string id = name;
  for (const auto& file : files) id += '\n' + file.string();
  return id;
}

std::vector<fs::path> files_of(const config::Keystore& section) {
  std::vector<fs::path> files;
  for (const fs::path* file :
       {&section.file, &section.certificate, &section.private_key, &section.password_file}) {
    if (!file->empty()) files.push_back(*file);
  }
  return files;
}

}  // namespace

template <class Read>
Listed Inventory::read(const Id& id, const std::string& look, Read&& read) const {
  {
    MutexLock lock(mutex_);
    const auto seen = seen_.find(id);
    if (seen != seen_.end() && seen->second.look == look) return seen->second.listed;
  }
  Listed found = read();
  MutexLock lock(mutex_);
  seen_[id] = {look, found};
  return found;
}

Listed Inventory::of(const config::Truststore& section) const {
  if (section.system) return {};
  return read({'t', id_of(section.name, {section.file})}, fingerprint_of({section.file}),
              [&] { return read_truststore(section); });
}

Listed Inventory::of(const config::Keystore& section) const {
  const auto files = files_of(section);
  return read({'k', id_of(section.name, files)}, fingerprint_of(files),
              [&] { return read_keystore(section); });
}

void Inventory::keep_only(const config::Config& config) const {
  std::set<Id> there;
  for (const config::Truststore& section : config.truststores) {
    there.emplace('t', id_of(section.name, {section.file}));
  }
  for (const config::Keystore& section : config.keystores) {
    there.emplace('k', id_of(section.name, files_of(section)));
  }
  MutexLock lock(mutex_);
  std::erase_if(seen_, [&](const auto& seen) { return there.count(seen.first) == 0; });
}

}  // namespace triggerd::mqtt::tls
