#include "management/definitions.hpp"

namespace triggerd::management {

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

}  // namespace triggerd::management
