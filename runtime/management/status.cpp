#include "management/status.hpp"

namespace triggerd::management {

std::string_view to_string(CertificateStatus::Age age) {
  switch (age) {
    case CertificateStatus::Age::ends_soon:
      return "ends_soon";
    case CertificateStatus::Age::expired:
      return "expired";
    case CertificateStatus::Age::not_yet:
      return "not_yet";
    case CertificateStatus::Age::good:
      break;
  }
  return "good";
}

std::string_view to_string(StoreStatus::Kind kind) {
  return kind == StoreStatus::Kind::truststore ? "truststore" : "keystore";
}

std::string_view to_string(TriggerStatus::State state) {
  switch (state) {
    case TriggerStatus::State::disabled:
      return "disabled";
    case TriggerStatus::State::suspended:
      return "suspended";
    case TriggerStatus::State::enabled:
      break;
  }
  return "enabled";
}

}  // namespace triggerd::management
