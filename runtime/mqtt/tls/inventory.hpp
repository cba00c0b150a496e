// Lists what is in truststores and keystores, for whoever administers them; never a key, or any
// part of one.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "config/config_fwd.hpp"
#include "mqtt/tls/validity.hpp"

namespace triggerd::mqtt::tls {

struct ListedCertificate {
  std::string key_alias;  // in a keystore: the key that it belongs to; may be empty
  std::string subject;
  std::string issuer;
  Validity validity;
};

struct Listed {
  std::vector<ListedCertificate> certificates;  // none for a truststore with file = "system"
  std::string problem;                          // why it cannot be used; empty: it can
};

// Reads a store again if its files have changed since the last time. Any thread, with a lock of its
// own; waits for the disk.
class Inventory {
 public:
  Listed of(const config::Truststore& section) const;
  Listed of(const config::Keystore& section) const;
  // Forgets all others.
  void keep_only(const config::Config& config) const;

 private:
  using Id = std::pair<char, std::string>;  // 't' or 'k', and what says which files
  struct Seen {
    std::string look;
    Listed listed;
  };
  template <class Read>
  Listed read(const Id& id, const std::string& look, Read&& read) const;

  mutable Mutex mutex_;
  mutable std::map<Id, Seen> seen_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::mqtt::tls
