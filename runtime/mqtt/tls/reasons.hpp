// What went wrong in a TLS handshake, and how to say it.
#pragma once

#include <optional>
#include <string>

#include "mqtt/tls/material.hpp"
#include "mqtt/tls/openssl.hpp"

namespace triggerd::mqtt::tls {

struct Failure {
  enum class What {
    none,
    tls,      // `error` says what
    closed,   // the connection ended
    timeout,  // no answer in time
  };
  What what = What::none;
  unsigned long error = 0;  // OpenSSL's
  int error_number = 0;     // errno's
  bool server_spoke = false;
  bool after_handshake = false;        // then the server had asked for our certificate
  bool asked_for_certificate = false;  // the server wants ours
  int verify_error = 0;                // X509_V_ERR_...
  int verify_depth = 0;
  X509Ptr certificate;  // that could not be verified
};

// The TLS alert that the server sent (RFC 8446, section 6), if that is what went wrong.
std::optional<int> alert_of(const Failure& failure);
// Empty if nothing failed.
std::string reason_of(const Failure& failure, const std::string& host, const Material& material);

}  // namespace triggerd::mqtt::tls
