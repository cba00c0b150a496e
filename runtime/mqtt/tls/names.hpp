// Which host a certificate is made out to (RFC 9525): its subject alternative names say it and
// nothing else does, a host name is there as a DNS name, an address as an IP address. The common
// name does not count. Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mqtt/tls/openssl.hpp"

namespace triggerd::mqtt::tls {

// For X509_check_host() and the like: no common name, and "*" only for a whole label.
extern const unsigned kNameFlags;

// As a configuration has it, and not a name; IPv6 with or without its brackets.
bool is_address(std::string_view host);
// As certificates and the TLS handshake have it: without the dot that ends a whole DNS name, and
// without the brackets of an IPv6 address.
std::string_view plain_host(std::string_view host);

struct Names {
  std::vector<std::string> dns;
  std::vector<std::string> addresses;
  std::string common_name;  // empty: none
};
Names names_of(X509* certificate);

// What is to be said of a certificate that is not made out to `host`.
std::string why_not_made_out_to(X509* certificate, std::string_view host);

}  // namespace triggerd::mqtt::tls
