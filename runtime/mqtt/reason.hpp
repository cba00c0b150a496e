// The return codes of MQTT 3.1.1 and the reason codes of MQTT 5, in words. Pure functions, any
// thread.
#pragma once

#include <string>
#include <string_view>

namespace triggerd::mqtt {

// The reason codes that are acted on (MQTT 5.0, section 2.4).
inline constexpr int kReasonFailure = 0x80;  // this and all above are failures
inline constexpr int kReasonSessionTakenOver = 0x8e;
inline constexpr int kReasonPacketTooLarge = 0x95;
inline constexpr int kReasonQuotaExceeded = 0x97;
inline constexpr int kReasonRetainNotSupported = 0x9a;
inline constexpr int kReasonQosNotSupported = 0x9b;

// A server that refuses a message with this code will not take it later either.
constexpr bool never_taken(int code) {
  return code == kReasonPacketTooLarge || code == kReasonRetainNotSupported ||
         code == kReasonQosNotSupported;
}

// Whether a CONNACK with this code refuses the user name, the password, or what they may do.
constexpr bool refuses_credentials(int code, bool mqtt5) {
  return mqtt5 ? code == 0x86 || code == 0x87 || code == 0x8c : code == 4 || code == 5;
}

// "not authorized (reason code 0x87)", and after a colon what the server said, if it said anything.
// `said` comes from the server, so control characters are made visible and it is cut.
std::string reason_text(int code, std::string_view said = {});
// Why a CONNACK with this code refuses the connection, and `said` as above. `mqtt5`: what the
// client speaks.
std::string connack_refusal(int code, std::string_view said, bool mqtt5);
// The reason string of a CONNACK of MQTT 5; empty unless `bytes` begin with one that has it.
std::string connack_reason(std::string_view bytes);

}  // namespace triggerd::mqtt
