// Whom to trust.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "config/config_fwd.hpp"
#include "mqtt/tls/certificate.hpp"

namespace triggerd::mqtt::tls {

struct Truststore {
  bool system = false;  // OpenSSL's own places; then the rest is empty
  std::string pem;
  std::vector<X509Ptr> certificates;
};

// Of a folder every file that holds PEM certificates is taken, so it works whether or not the names
// of its files are hashes; hidden files are passed over. An error says the path and what to do.
Result<Truststore> load_truststore(const config::Truststore& section);

}  // namespace triggerd::mqtt::tls
