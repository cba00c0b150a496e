#include "mqtt/reason.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "mqtt/packet/properties.hpp"

namespace triggerd::mqtt {
namespace {

// MQTT 5.0, section 2.4, table 2-6.
std::string_view words(int code) {
  switch (code) {
    case 0x00:
      return "normal disconnection";
    case 0x04:
      return "disconnect with the will";
    case 0x10:
      return "no matching subscribers";
    case 0x11:
      return "no subscription existed";
    case 0x80:
      return "unspecified error";
    case 0x81:
      return "malformed packet";
    case 0x82:
      return "protocol error";
    case 0x83:
      return "implementation-specific error";
    case 0x84:
      return "it does not speak MQTT 5";
    case 0x85:
      return "it does not allow this client id";
    case 0x86:
      return "bad user name or password";
    case 0x87:
      return "not authorized";
    case 0x88:
      return "it says it is unavailable";
    case 0x89:
      return "it is busy";
    case 0x8a:
      return "this client is banned";
    case 0x8b:
      return "the server is shutting down";
    case 0x8c:
      return "bad authentication method";
    case 0x8d:
      return "keep-alive timeout";
    case 0x8e:
      return "another client took the session over";
    case 0x8f:
      return "it does not allow this topic filter";
    case 0x90:
      return "it does not allow this topic";
    case 0x91:
      return "the packet id is in use";
    case 0x92:
      return "the packet id is not known";
    case 0x93:
      return "more messages in flight than receive maximum";
    case 0x94:
      return "the topic alias is not valid";
    case 0x95:
      return "the packet is too large";
    case 0x96:
      return "the message rate is too high";
    case 0x97:
      return "a quota is exceeded";
    case 0x98:
      return "ended by an administrator";
    case 0x99:
      return "the payload is not in the format it declares";
    case 0x9a:
      return "it does not support retained messages";
    case 0x9b:
      return "it does not support this QoS";
    case 0x9c:
      return "use another server, for now";
    case 0x9d:
      return "the server has moved";
    case 0x9e:
      return "it does not support shared subscriptions";
    case 0x9f:
      return "too many connections in a short time";
    case 0xa0:
      return "the maximum connect time is over";
    case 0xa1:
      return "it does not support subscription identifiers";
    case 0xa2:
      return "it does not support subscriptions with wildcards";
    default:
      return "unknown reason";
  }
}

// The return codes of MQTT 3.1.1, section 3.2.2.3.
std::string_view return_code_words(int code) {
  constexpr std::array<std::string_view, 6> kTexts{"",
                                                   "it does not speak MQTT 3.1.1",
                                                   "it does not allow this client id",
                                                   "it says it is unavailable",
                                                   "bad user name or password",
                                                   "not authorized"};
  const auto index = static_cast<std::size_t>(code);
  return index < kTexts.size() ? kTexts[index] : "unknown return code";
}

}  // namespace

std::string connack_refusal(int code, std::string_view said, bool mqtt5) {
  if (mqtt5) {
    // A server that knows only 3.1.1 answers with its own code.
    if (code == 1) return "it does not speak MQTT 5 (return code 1); write protocol = \"3.1.1\"";
    if (code >= kReasonFailure) return reason_text(code, said);
  }
  return fmt::format("{} (return code {})", return_code_words(code), code);
}

std::string reason_text(int code, std::string_view said) {
  std::string text = fmt::format("{} (reason code 0x{:02x})", words(code), code);
  if (!said.empty()) text += fmt::format(": \"{}\"", printable(said));
  return text;
}

std::string connack_reason(std::string_view bytes) {
  constexpr char kConnack = 0x20;
  constexpr std::size_t kFlagsAndCode = 2;
  if (bytes.empty() || bytes.front() != kConnack) return {};
  bytes.remove_prefix(1);
  if (!take_variable(bytes)) return {};
  bytes.remove_prefix(std::min(bytes.size(), kFlagsAndCode));
  const auto length = take_variable(bytes);
  if (!length) return {};
  const auto properties = decode_properties(bytes.substr(0, *length));
  if (!properties) return {};
  const Property* reason = find_property(*properties, property::kReasonString);
  return reason == nullptr ? std::string() : std::string(reason->value);
}

}  // namespace triggerd::mqtt
