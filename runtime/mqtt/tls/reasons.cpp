#include "mqtt/tls/reasons.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/file.hpp"
#include "mqtt/tls/certificate.hpp"
#include "mqtt/tls/names.hpp"

namespace triggerd::mqtt::tls {
namespace {

using What = Failure::What;

std::string untrusted(const Failure& failure, std::string_view why, const Material& material) {
  return fmt::format(
      "the server's certificate is not trusted: {} in truststore \"{}\" (certificate {}, issued by "
      "{}); add its CA to the truststore, if it is the right server",
      why, material.truststore_name(), subject_of(failure.certificate.get()),
      issuer_of(failure.certificate.get()));
}

std::string verify_reason(const Failure& failure, const std::string& host,
                          const Material& material) {
  X509* certificate = failure.certificate.get();
  if (certificate == nullptr) {
    return fmt::format("the server's certificate cannot be verified: {}",
                       X509_verify_cert_error_string(failure.verify_error));
  }
  const std::string whose = failure.verify_depth == 0 ? "the server's certificate"
                                                      : "a certificate in the server's chain";
  const Validity validity = validity_of(certificate);
  switch (failure.verify_error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return fmt::format("{} expired on {} ({}); renew it at the server", whose,
                         date_text(validity.to), subject_of(certificate));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return fmt::format("{} is not valid before {} ({}); check the clocks of both machines", whose,
                         date_text(validity.from), subject_of(certificate));
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return why_not_made_out_to(certificate, host);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return untrusted(failure, "it is self-signed, and not", material);
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return untrusted(failure, "the root of its chain is not", material);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return untrusted(failure, "its issuer is neither in its chain nor", material);
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return untrusted(failure, "it was not signed by the CA of that name", material);
    default:
      return fmt::format("{} cannot be verified: {} ({})", whose,
                         X509_verify_cert_error_string(failure.verify_error),
                         subject_of(certificate));
  }
}

// What a server may object to is mostly who we are.
std::string client_reason(std::string_view objection, const Failure& failure,
                          const Material& material) {
  if (failure.asked_for_certificate && material.key_name().empty()) {
    return fmt::format(
        "the server asks for a client certificate, but none is configured ({}); write keystore",
        objection);
  }
  if (failure.asked_for_certificate) {
    return fmt::format("the server does not accept the certificate of {}: {}", material.key_name(),
                       objection);
  }
  return fmt::format("the server refuses the TLS handshake: {}", objection);
}

std::string alert_reason(int alert, const Failure& failure, const Material& material) {
  if (alert == SSL_AD_PROTOCOL_VERSION) {
    return "the server speaks neither TLS 1.2 nor 1.3, and older versions are not safe";
  }
  if (alert == SSL_AD_NO_APPLICATION_PROTOCOL) {
    return "the server accepts none of the protocols in alpn";
  }
  if (alert == SSL_AD_UNRECOGNIZED_NAME) return "the server does not know this host name (SNI)";
  return client_reason(fmt::format("alert \"{}\"", SSL_alert_desc_string_long(alert)), failure,
                       material);
}

}  // namespace

std::optional<int> alert_of(const Failure& failure) {
  const int reason = ERR_GET_REASON(failure.error);
  if (failure.what != What::tls || ERR_GET_LIB(failure.error) != ERR_LIB_SSL ||
      reason < SSL_AD_REASON_OFFSET || reason > SSL_AD_REASON_OFFSET + 255) {
    return std::nullopt;
  }
  return reason - SSL_AD_REASON_OFFSET;
}

std::string reason_of(const Failure& failure, const std::string& host, const Material& material) {
  if (failure.verify_error != 0) return verify_reason(failure, host, material);
  if (const auto alert = alert_of(failure)) return alert_reason(*alert, failure, material);
  switch (failure.what) {
    case What::none:
      return {};
    case What::timeout:
      return failure.server_spoke
                 ? "the server began the TLS handshake but does not continue it"
                 : "the server accepts the connection but does not answer the TLS handshake";
    case What::closed:
      if (failure.after_handshake) {
        return client_reason("it closed the connection", failure, material);
      }
      return fmt::format(
          "the server closed the connection during the TLS handshake{}, as one without TLS does; "
          "is this its TLS port?",
          failure.error_number == 0 ? "" : ": " + errno_text(failure.error_number));
    case What::tls:
      break;
  }
  switch (ERR_GET_REASON(failure.error)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
      return "the server does not answer in TLS; is this its TLS port?";
    case SSL_R_UNSUPPORTED_PROTOCOL:
      return "the server speaks neither TLS 1.2 nor 1.3, and older versions are not safe";
    default:
      break;
  }
  const char* reason = ERR_reason_error_string(failure.error);
  return fmt::format("the TLS handshake failed: {}",
                     reason == nullptr ? "no reason given" : reason);
}

}  // namespace triggerd::mqtt::tls
