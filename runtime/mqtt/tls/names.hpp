// Which host a certificate is issued for (RFC 9525): only its subject alternative names count, a
// DNS name for a host name and an IP address for an address; the common name does not. Pure
// functions, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mqtt/tls/openssl.hpp"

namespace triggerd::mqtt::tls {

// Flags for X509_check_host() and the like: no common name, and "*" only for a whole label.
extern const unsigned kNameFlags;

// Whether `host`, as a configuration has it, is an address and not a name; IPv6 with or without
// brackets.
bool is_address(std::string_view host);
// `host` as certificates and the TLS handshake have it: without the dot that ends a fully qualified
// name, and without the brackets of an IPv6 address.
std::string_view plain_host(std::string_view host);

struct Names {
  std::vector<std::string> dns;
  std::vector<std::string> addresses;
  std::string common_name;  // empty: none
};
Names names_of(X509* certificate);

// What to say about a certificate that is not issued for `host`.
std::string why_not_made_out_to(X509* certificate, std::string_view host);

}  // namespace triggerd::mqtt::tls
