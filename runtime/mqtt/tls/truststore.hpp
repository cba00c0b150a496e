// Whom to trust.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "config/config_fwd.hpp"
#include "mqtt/tls/certificate.hpp"

namespace triggerd::mqtt::tls {

struct Truststore {
  bool system = false;  // OpenSSL's default locations; then the rest is empty
  std::string pem;
  std::vector<X509Ptr> certificates;
};

// In a folder, every file that has PEM certificates counts, whether or not its name is a hash;
// hidden files are passed over. An error says the path and what to do.
Result<Truststore> load_truststore(const config::Truststore& section);

}  // namespace triggerd::mqtt::tls
