#include "management/administration.hpp"

namespace triggerd::management {

std::string_view to_string(AdminError::Kind kind) {
  switch (kind) {
    case AdminError::Kind::invalid:
      return "invalid";
    case AdminError::Kind::not_found:
      return "not_found";
    case AdminError::Kind::conflict:
      return "conflict";
    case AdminError::Kind::refused:
      return "refused";
    case AdminError::Kind::unavailable:
      return "unavailable";
    case AdminError::Kind::failed:
      break;
  }
  return "failed";
}

std::string_view to_string(Definition::Origin origin) {
  switch (origin) {
    case Definition::Origin::managed:
      return "managed";
    case Definition::Origin::package:
      return "package";
    case Definition::Origin::file:
      break;
  }
  return "file";
}

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
