#include "management/errors.hpp"

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

}  // namespace triggerd::management
