// X.509 certificates, as far as messages and checks need them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "mqtt/tls/openssl.hpp"
#include "mqtt/tls/validity.hpp"

namespace triggerd::mqtt::tls {

// Every certificate in PEM text, in order; anything else in it is passed over. Finding none is not
// an error.
Result<std::vector<X509Ptr>> parse_certificates(std::string_view pem);
std::string to_pem(X509* certificate);

// "CN=edge-1,O=Plant", on one line.
std::string subject_of(X509* certificate);
std::string issuer_of(X509* certificate);

Validity validity_of(X509* certificate);
// It is its own issuer: the end of a chain.
bool is_root(X509* certificate);

}  // namespace triggerd::mqtt::tls
