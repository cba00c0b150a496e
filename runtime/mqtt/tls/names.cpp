#include "mqtt/tls/names.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "base/text.hpp"

namespace triggerd::mqtt::tls {
namespace {

std::string_view text_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

std::string address_text(std::string_view bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
  if (bytes.size() != 4 && bytes.size() != 16) return "(malformed address)";
  return ::inet_ntop(family, bytes.data(), text, sizeof text);
}

std::string quoted(const Names& names) {
  std::string all;
  for (const auto* list : {&names.dns, &names.addresses}) {
    for (const std::string& name : *list) {
      all += fmt::format("{}\"{}\"", all.empty() ? "" : ", ", printable(name));
    }
  }
  return all;
}

}  // namespace

const unsigned kNameFlags =
    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;

std::string_view plain_host(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) return host.substr(1, host.size() - 2);
  if (host.size() > 1 && host.ends_with('.')) host.remove_suffix(1);
  return host;
}

bool is_address(std::string_view host) {
  unsigned char bytes[sizeof(in6_addr)];
  const std::string text(plain_host(host));
  return ::inet_pton(AF_INET, text.c_str(), bytes) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

Names names_of(X509* certificate) {
  Names found;
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_DNS) found.dns.emplace_back(text_of(name->d.dNSName));
    if (name->type == GEN_IPADD) {
      found.addresses.push_back(address_text(text_of(name->d.iPAddress)));
    }
  }
  GENERAL_NAMES_free(names);
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at >= 0) {
    found.common_name = text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  }
  return found;
}

std::string why_not_made_out_to(X509* certificate, std::string_view host) {
  const std::string_view plain = plain_host(host);
  const std::string needed = fmt::format("{}:{}", is_address(host) ? "IP" : "DNS", plain);
  const Names names = names_of(certificate);
  if (names.dns.empty() && names.addresses.empty()) {
    return fmt::format(
        "the server's certificate names no host in its subject alternative names{}; renew it with "
        "subjectAltName = {}",
        names.common_name.empty()
            ? ""
            : fmt::format(", and its common name \"{}\" does not count (RFC 9525)",
                          printable(names.common_name)),
        needed);
  }
  if (is_address(host) && std::find(names.dns.begin(), names.dns.end(), plain) != names.dns.end()) {
    return fmt::format(
        "the server's certificate lists the address {} as a DNS name, which does not count; renew "
        "it with subjectAltName = {}",
        plain, needed);
  }
  return fmt::format(
      "the server's certificate is issued for {}, not for \"{}\"; connect to a name it is issued "
      "for, or renew it with this one (subjectAltName = {})",
      quoted(names), plain, needed);
}

}  // namespace triggerd::mqtt::tls
