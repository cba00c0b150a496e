// Reads PKCS#12 with any number of keys; OpenSSL's own PKCS12_parse() gives only one.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "mqtt/tls/openssl.hpp"

namespace triggerd::mqtt::tls {

// Each with its friendly name, which may be empty.
struct Pkcs12Content {
  std::vector<std::pair<std::string, KeyPtr>> keys;
  std::vector<std::pair<std::string, X509Ptr>> certificates;
};

Result<Pkcs12Content> parse_pkcs12(std::string_view bytes, const std::string& password);

}  // namespace triggerd::mqtt::tls
