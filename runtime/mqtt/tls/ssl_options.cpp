#include "mqtt/tls/ssl_options.hpp"

#include "base/text.hpp"

namespace triggerd::mqtt::tls {
namespace {

const char* or_null(const std::string& text) {
  return text.empty() ? nullptr : text.c_str();
}

}  // namespace

MQTTAsync_SSLOptions ssl_options(const Material& material, ErrorLine on_error, void* context) {
  MQTTAsync_SSLOptions options = MQTTAsync_SSLOptions_initializer;
  options.enableServerCertAuth = 1;
  options.verify = 1;  // the host name; the library's default is not to look at it
  options.trustStore = or_null(material.truststore_file());
  options.disableDefaultTrustStore = options.trustStore == nullptr ? 0 : 1;
  options.keyStore = or_null(material.certificate_file());
  options.privateKey = or_null(material.key_file());
  options.ssl_error_cb = on_error;
  options.ssl_error_context = context;
  if (!material.alpn().empty()) {
    options.protos = reinterpret_cast<const unsigned char*>(material.alpn().data());
    options.protos_len = static_cast<unsigned>(material.alpn().size());
  }
  return options;
}

// OpenSSL's lines: THREAD:error:CODE:LIBRARY:FUNCTION:REASON:FILE:LINE:DATA.
std::string reason_in(std::string_view error_line) {
  std::string_view rest = error_line;
  for (int field = 0; field < 5; ++field) {
    const std::size_t colon = rest.find(':');
    if (colon == std::string_view::npos) return printable(error_line);
    rest.remove_prefix(colon + 1);
  }
  return printable(rest.substr(0, rest.find(':')));
}

}  // namespace triggerd::mqtt::tls
