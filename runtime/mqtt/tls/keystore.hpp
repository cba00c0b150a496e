// Who we are: keys with their certificates.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "config/config_fwd.hpp"
#include "mqtt/tls/certificate.hpp"

namespace triggerd::mqtt::tls {

struct Key {
  std::string alias;  // its friendly name; empty where it has none
  KeyPtr key;
  // Its own certificate first, then those that lead to the root, without the root.
  std::vector<X509Ptr> chain;

  std::string chain_pem() const;
  std::string key_pem() const;  // not encrypted: for a MemoryFile and nothing else
};

struct Keystore {
  std::vector<Key> keys;  // at least one
};

// What is wrong, and with which file: with `of_key`, the one that has the private key.
struct KeystoreError {
  std::string message;
  bool of_key = false;
};

// The files must not be readable by everybody. A key without a matching certificate is an error.
tl::expected<Keystore, KeystoreError> load_keystore(const config::Keystore& section);

// The key with this friendly name; if that is empty, the only key there is. An error says which
// keys there are. `name` is the keystore's, for messages.
Result<const Key*> find_key(const Keystore& keystore, const std::string& key_alias,
                            const std::string& name);

}  // namespace triggerd::mqtt::tls
