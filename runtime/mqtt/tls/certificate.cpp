#include "mqtt/tls/certificate.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "base/text.hpp"

namespace triggerd::mqtt::tls {
namespace {

std::string name_text(const X509_NAME* name) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), name, 0,
                     XN_FLAG_RFC2253 & ~static_cast<unsigned>(ASN1_STRFLGS_ESC_MSB));
  std::string text = printable(content_of(out.get()));
  return text.empty() ? "(no name)" : text;
}

Wall date_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return wall_of(parts);
}

}  // namespace

Result<std::vector<X509Ptr>> parse_certificates(std::string_view pem) {
  std::vector<X509Ptr> found;
  const BioPtr in = reading(pem);
  ERR_clear_error();
  while (X509* certificate = PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)) {
    found.emplace_back(certificate);
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!at_end) return fail("certificate {} in it is malformed: {}", found.size() + 1, take_error());
  ERR_clear_error();
  return found;
}

std::string to_pem(X509* certificate) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(out.get(), certificate);
  return content_of(out.get());
}

std::string subject_of(X509* certificate) {
  return name_text(X509_get_subject_name(certificate));
}

std::string issuer_of(X509* certificate) {
  return name_text(X509_get_issuer_name(certificate));
}

Validity validity_of(X509* certificate) {
  return {date_of(X509_get0_notBefore(certificate)), date_of(X509_get0_notAfter(certificate))};
}

bool is_root(X509* certificate) {
  return X509_check_issued(certificate, certificate) == X509_V_OK;
}

}  // namespace triggerd::mqtt::tls
