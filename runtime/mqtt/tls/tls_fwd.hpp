// Declarations of tls/, for whoever only passes certificates on.
#pragma once

#include <memory>

namespace triggerd::mqtt::tls {

class Current;
class Material;
using MaterialPtr = std::shared_ptr<const Material>;

}  // namespace triggerd::mqtt::tls
